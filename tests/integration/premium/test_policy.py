"""On a real Kafka, the policy that was published last is in force."""

from datetime import timedelta

from premium.policy.topic import current, record_of
from shared.events import PolicyPublished
from shared.platform.publisher import Outgoing
from shared.sla.policies import Policy, default_policy
from shared.testing.builders import NOON
from shared.testing.topics import Topics

OTHER = Policy.model_validate({**default_policy().document, "policy_id": "other"})


async def test_the_policy_published_last_is_in_force(topics: Topics) -> None:
    """Its name and partition do not matter; records that are no policy are ignored."""
    await topics.create(PolicyPublished.topic)
    assert await current(topics.bootstrap, topics.prefix) == default_policy()
    before = record_of(default_policy(), NOON - timedelta(hours=1))
    stray = Outgoing(PolicyPublished.topic, b"x", b"hello", [])
    await topics.send([record_of(OTHER, NOON), before, stray])
    assert await current(topics.bootstrap, topics.prefix) == OTHER
