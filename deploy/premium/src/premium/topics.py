"""A deployment's topics: the events on them, and records published to them."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from premium.profile import Profile
from shared.basics.errors import Poison, Transient
from shared.events import Envelope, Event
from shared.events.codec import Record, headers_of, read, value_of
from shared.platform.publisher import Outgoing, Publisher
from shared.platform.record_batches import reader

__all__ = [
    "compacted_record",
    "event_of",
    "events_of",
    "kafka_errors",
    "latest",
    "partitions_of",
    "publish",
    "read_to_end",
]

_REQUEST_MS: Final = 10_000
_FETCH_MS: Final = 1000


@contextmanager
def kafka_errors() -> Iterator[None]:
    """Raise Transient in place of the errors of an unreachable broker."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as e:
        raise Transient(f"Kafka: {type(e).__name__}: {e}") from e


async def partitions_of(bootstrap: str, topic: str) -> list[TopicPartition]:
    """List a topic's partitions.

    A consumer that asks for a missing topic may create it; this request does not.

    Raises:
        Transient: the broker is unreachable, or has no such topic.
    """
    with kafka_errors():
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_REQUEST_MS)
        try:
            await admin.start()
            (found,) = await admin.describe_topics([topic])
        finally:
            await admin.close()
    if not found["partitions"]:
        raise Transient(f"Kafka has no topic {topic}: see that {bootstrap} are the right brokers")
    return [TopicPartition(topic, number) for number in range(len(found["partitions"]))]


async def read_to_end(consumer: AIOKafkaConsumer) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """Read from the consumer's position to the present end of its partitions."""
    assigned = list(consumer.assignment())
    ends: dict[TopicPartition, int] = await consumer.end_offsets(assigned)
    while any([await consumer.position(tp) < ends[tp] for tp in assigned]):
        found = await consumer.getmany(timeout_ms=_FETCH_MS)
        yield [record for records in found.values() for record in records]


def event_of(raw: ConsumerRecord, topic: str) -> Envelope[Event] | None:
    """Decode a record of ``topic`` (its name without the prefix); None if it holds no event.

    Invalid records are ignored here: the service that consumes the topic stores them as dead
    letters.
    """
    record = Record(
        topic, raw.partition, raw.offset, raw.key, raw.value, raw.headers, raw.timestamp
    )
    try:
        found = read(record)
    except Poison:
        return None
    return found if isinstance(found, Envelope) else None


async def events_of[E: Event](
    bootstrap: str, kind: type[E] | tuple[type[E], ...], topic_prefix: str = ""
) -> list[Envelope[E]]:
    """Read all events of some types from their common topic, in order of event time.

    Raises:
        Transient: the broker is unreachable.
    """
    kinds = kind if isinstance(kind, tuple) else (kind,)
    topic = kinds[0].topic
    consumer = reader(bootstrap, topic_prefix + topic)
    found: list[Envelope[E]] = []
    try:
        with kafka_errors():
            await consumer.start()
            async for records in read_to_end(consumer):
                found += [
                    Envelope(e.id, e.source, e.time, e.event)
                    for e in (event_of(record, topic) for record in records)
                    if e is not None and isinstance(e.event, kinds)
                ]
    finally:
        await consumer.stop()
    return sorted(found, key=lambda envelope: envelope.time)


async def latest[E: Event](
    bootstrap: str, kind: type[E] | tuple[type[E], ...], topic_prefix: str = ""
) -> list[E]:
    """Read the latest event of each subject from a compacted topic, in order of event time.

    With several types, the latest event of any of them counts.

    Raises:
        Transient: the broker is unreachable.
    """
    found: dict[str, E] = {}
    for envelope in await events_of(bootstrap, kind, topic_prefix):
        found.pop(envelope.event.subject, None)
        found[envelope.event.subject] = envelope.event
    return list(found.values())


def compacted_record(envelope: Envelope[Event]) -> Outgoing:
    """Write an event as a record of a compacted topic, keyed by the event's subject."""
    event = envelope.event
    return Outgoing(event.topic, event.subject.encode(), value_of(event), headers_of(envelope))


async def publish(profile: Profile, records: Iterable[Outgoing]) -> None:
    """Publish records to a deployment.

    Raises:
        Transient: the broker is unreachable, or a topic is missing.
    """
    prefix = profile.topic_prefix
    publisher = Publisher(profile.kafka_bootstrap, service="premium", topic_prefix=prefix)
    try:
        await publisher.publish(records)
    finally:
        await publisher.stop()
