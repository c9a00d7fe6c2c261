"""`premium produce|consume TOPIC KEY`: one record to a topic, or a key's records from it."""

import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Annotated, Final

import typer
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from premium.broker import Broker
from premium.errors import CommandError
from premium.interrupt import run
from premium.profile import CHECK, read_profile
from shared.basics.errors import Transient
from shared.platform.publisher import Outgoing, Publisher
from shared.platform.record_batches import reader

__all__ = ["consume", "consumed", "produce", "produced", "to_the_end"]

_WAIT_MS: Final = 1000

type _Topic = Annotated[str, typer.Argument(help="such as inbound.v1; docs/api has all")]
type _Key = Annotated[str, typer.Argument(help="what the record is about")]


def produce(topic: _Topic, key: _Key) -> None:
    """Send standard input to TOPIC, as one record."""
    value = sys.stdin.buffer.read()
    bootstrap, topic = _place(topic)
    _done(produced(bootstrap, topic, key.encode(), value))


def consume(topic: _Topic, key: _Key) -> None:
    """Show the records of KEY on TOPIC, a line each; wait for the first if there is none yet."""
    bootstrap, topic = _place(topic)
    for value in _done(consumed(bootstrap, topic, key.encode())):
        typer.echo(value)


async def produced(bootstrap: str, topic: str, key: bytes, value: bytes) -> None:
    """Send a record. Raises Transient while the broker, or the topic, is away."""
    await _seek_topic(bootstrap, topic)
    publisher = Publisher(bootstrap, service="premium")
    try:
        await publisher.publish([Outgoing(topic, key, value, [])])
    finally:
        await publisher.stop()


async def consumed(bootstrap: str, topic: str, key: bytes) -> list[bytes]:
    """Read a key's records, one at least; one without a value is empty. Raises as `produced`.

    All partitions are read: whoever sent by another library may have put the key elsewhere.
    """
    await _seek_topic(bootstrap, topic)
    consumer = reader(bootstrap, topic)
    found: list[bytes] = []
    try:
        await consumer.start()
        async for records in to_the_end(consumer):
            found += [record.value or b"" for record in records if record.key == key]
        while not found:
            record = await consumer.getone()
            found += [record.value or b""] if record.key == key else []
    finally:
        await consumer.stop()
    return found


async def to_the_end(consumer: AIOKafkaConsumer) -> AsyncIterator[Sequence[ConsumerRecord]]:
    """Read from where the consumer stands to where its topic ends now."""
    held = list(consumer.assignment())
    ends: dict[TopicPartition, int] = await consumer.end_offsets(held)
    while any([await consumer.position(tp) < ends[tp] for tp in held]):
        found = await consumer.getmany(timeout_ms=_WAIT_MS)
        yield [record for records in found.values() for record in records]


async def _seek_topic(bootstrap: str, topic: str) -> None:
    """See that there is such a topic: to ask for one that is not may make it."""
    broker = Broker(bootstrap)
    try:
        await broker.ends([topic])
    finally:
        await broker.close()


def _place(topic: str) -> tuple[str, str]:
    """Return the brokers, and what a topic is called there."""
    profile = read_profile()
    return profile.kafka_bootstrap, profile.topic_prefix + topic


def _done[T](work: Coroutine[None, None, T]) -> T:
    try:
        return run(work)
    except (KafkaError, OSError, Transient) as e:
        raise CommandError(f"{e}; {CHECK}") from e
