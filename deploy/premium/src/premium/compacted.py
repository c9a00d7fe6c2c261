"""What a compacted topic says now: the latest event of each key."""

from collections.abc import Iterator

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError

from premium.records import to_the_end
from shared.basics.errors import Poison, Transient
from shared.events import Envelope, Event
from shared.events.codec import Record, read
from shared.platform.record_batches import reader

__all__ = ["latest", "told"]


async def latest[E: Event](
    bootstrap: str, kind: type[E] | tuple[type[E], ...], topic_prefix: str = ""
) -> list[E]:
    """Read the latest event of each subject, by event time, the latest of all last.

    Of several kinds, which then share a topic, the latest of whichever kind. Raises as `told`.
    """
    found = await told(bootstrap, kind, topic_prefix)
    by_subject = {envelope.event.subject: envelope.event for envelope in found}
    order = {envelope.event.subject: place for place, envelope in enumerate(found)}
    return sorted(by_subject.values(), key=lambda event: order[event.subject])


async def told[E: Event](
    bootstrap: str, kind: type[E] | tuple[type[E], ...], topic_prefix: str = ""
) -> list[Envelope[E]]:
    """Read all that a topic still holds of some kinds, by event time.

    What cannot be read is passed over: its reader has parked it. Raises Transient while the broker
    is away.
    """
    kinds = kind if isinstance(kind, tuple) else (kind,)
    topic = kinds[0].topic
    consumer = reader(bootstrap, topic_prefix + topic)
    found: list[Envelope[E]] = []
    try:
        await consumer.start()
        async for records in to_the_end(consumer):
            found += [envelope for record in records for envelope in _read(record, topic, kinds)]
    except (KafkaError, OSError, TimeoutError) as e:
        raise Transient(f"Kafka: {type(e).__name__}: {e}") from e
    finally:
        await consumer.stop()
    found.sort(key=lambda envelope: envelope.time)
    return found


def _read[E: Event](
    raw: ConsumerRecord, topic: str, kinds: tuple[type[E], ...]
) -> Iterator[Envelope[E]]:
    record = Record(topic, 0, raw.offset, raw.key, raw.value, raw.headers, raw.timestamp)
    try:
        envelope = read(record)
    except Poison:
        return
    if isinstance(envelope, Envelope) and isinstance(envelope.event, kinds):
        yield Envelope(envelope.id, envelope.source, envelope.time, envelope.event)
