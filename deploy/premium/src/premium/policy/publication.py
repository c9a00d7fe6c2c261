"""Puts a policy on the compacted topic ``policies.v1``, and knows which one was there before."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from uuid import uuid5

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError

from premium.redrive import to_the_end
from premium.stack.addresses import Addresses
from shared import postgres
from shared.errors import Poison, Transient
from shared.events import NAMESPACE, Envelope, PolicyPublished
from shared.events.codec import Record, headers_of, read, value_of
from shared.policies import Policy, default_policy
from shared.postgres import Database
from shared.publisher import Outgoing, Publisher

__all__ = ["current", "now", "publish", "record_of"]

_SOURCE: Final = "premium"
_WAIT_MS: Final = 1000


async def publish(addresses: Addresses, policy: Policy) -> Policy:
    """Publish a policy as of now; the one that was in force comes back."""
    before = await current(addresses.kafka_bootstrap)
    publisher = Publisher(addresses.kafka_bootstrap, service="premium")
    try:
        await publisher.publish([record_of(policy, await now(addresses))])
    finally:
        await publisher.stop()
    return before


async def now(addresses: Addresses) -> datetime:
    """Ask intake's database what time it is: by its time requests are taken."""
    db = Database(addresses.dsn("intake"), service="premium")
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
    consumer = AIOKafkaConsumer(
        topic_prefix + PolicyPublished.topic,
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    found: list[tuple[datetime, Policy]] = []
    try:
        await consumer.start()
        async for records in to_the_end(consumer):
            found += [policy for record in records for policy in _read(record)]
    except (KafkaError, OSError, TimeoutError) as e:
        raise Transient(f"Kafka: {type(e).__name__}: {e}") from e
    finally:
        await consumer.stop()
    return max(found, key=lambda policy: policy[0])[1] if found else default_policy()


def _read(raw: ConsumerRecord) -> Iterator[tuple[datetime, Policy]]:
    """Pass over what intake cannot use either: it has parked it."""
    record = Record(PolicyPublished.topic, 0, raw.offset, raw.key, raw.value, raw.headers)
    try:
        envelope = read(record)
    except Poison:
        return
    if isinstance(envelope, Envelope) and isinstance(envelope.event, PolicyPublished):
        yield envelope.time, envelope.event.document
