"""Puts a policy on the compacted topic ``policies.v1``, and knows which one was there before."""

from datetime import datetime
from typing import Final
from uuid import uuid5

from premium.compacted import latest
from premium.listings import publisher_of
from premium.profile import Profile
from shared.events import NAMESPACE, Envelope, PolicyPublished
from shared.events.codec import headers_of, value_of
from shared.platform import postgres
from shared.platform.postgres import Database
from shared.platform.publisher import Outgoing
from shared.sla.policies import Policy, default_policy

__all__ = ["current", "now", "publish", "record_of"]

_SOURCE: Final = "premium"


async def publish(profile: Profile, policy: Policy) -> Policy:
    """Publish a policy as of now; the one that was in force comes back."""
    before = await current(profile.kafka_bootstrap, profile.topic_prefix)
    publisher = publisher_of(profile)
    try:
        await publisher.publish([record_of(policy, await now(profile))])
    finally:
        await publisher.stop()
    return before


async def now(profile: Profile) -> datetime:
    """Ask intake's database what time it is: by its time requests are taken."""
    db = Database(profile.dsn("intake"), service="premium")
    await db.start()
    try:
        async with db.session() as session:
            return await postgres.now(session)
    finally:
        await db.stop()


def record_of(policy: Policy, at: datetime) -> Outgoing:
    """Lay a policy out as a record; published at one moment twice, it is one event."""
    event = PolicyPublished(policy_id=policy.policy_id, version=policy.version, document=policy)
    cause = uuid5(NAMESPACE, f"policy/{policy.version}/{at.isoformat()}")
    envelope = Envelope.caused_by(cause, event, source=_SOURCE, time=at)
    return Outgoing(event.topic, event.subject.encode(), value_of(event), headers_of(envelope))


async def current(bootstrap: str, topic_prefix: str = "") -> Policy:
    """Read which policy was published last; the built-in one while there is none.

    Raises Transient while the broker is away.
    """
    found = await latest(bootstrap, PolicyPublished, topic_prefix)
    return found[-1].document if found else default_policy()
