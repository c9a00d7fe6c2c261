"""The policy in force on the compacted topic ``policies.v1``."""

from datetime import datetime
from typing import Final
from uuid import uuid5

from premium.api import now
from premium.profile import Profile
from premium.topics import compacted_record, latest
from premium.topics import publish as publish_records
from shared.events import NAMESPACE, Envelope, PolicyPublished
from shared.platform.publisher import Outgoing
from shared.sla.policies import Policy, default_policy

__all__ = ["current", "publish", "record_of"]

_SOURCE: Final = "premium"


async def publish(profile: Profile, policy: Policy) -> Policy:
    """Publish a policy as of now, and return the one that was in force before.

    Raises:
        Transient: Kafka is unreachable.
        CommandError: intake is unreachable.
    """
    before = await current(profile.kafka_bootstrap, profile.topic_prefix)
    await publish_records(profile, [record_of(policy, await now(profile))])
    return before


def record_of(policy: Policy, at: datetime) -> Outgoing:
    """Write a policy as a record; the same policy at the same time gives the same event id."""
    event = PolicyPublished(policy_id=policy.policy_id, version=policy.version, document=policy)
    cause = uuid5(NAMESPACE, f"policy/{policy.version}/{at.isoformat()}")
    return compacted_record(Envelope.caused_by(cause, event, source=_SOURCE, time=at))


async def current(bootstrap: str, topic_prefix: str = "") -> Policy:
    """Read the policy that was published last; the built-in one if none was.

    Raises:
        Transient: Kafka is unreachable.
    """
    found = await latest(bootstrap, PolicyPublished, topic_prefix)
    return found[-1].document if found else default_policy()
