"""`premium produce|consume TOPIC KEY`: send one record to a topic, or show a key's records."""

import sys
from typing import Annotated

import typer

from premium.interrupt import run_on_deployment
from premium.profile import read_profile
from premium.topics import kafka_errors, partitions_of, read_to_end
from shared.platform.publisher import Outgoing, Publisher
from shared.platform.record_batches import reader

__all__ = ["consume", "consumed", "produce", "produced"]

type _Topic = Annotated[str, typer.Argument(help="such as inbound.v1; docs/api lists all")]
type _Key = Annotated[str, typer.Argument(help="the record's key")]


def produce(topic: _Topic, key: _Key) -> None:
    """Send standard input to TOPIC as one record."""
    value = sys.stdin.buffer.read()
    profile = read_profile()
    topic = profile.topic_prefix + topic
    run_on_deployment(produced(profile.kafka_bootstrap, topic, key.encode(), value))


def consume(topic: _Topic, key: _Key) -> None:
    """Show the records of KEY on TOPIC, one a line; if there is none yet, wait for the first."""
    profile = read_profile()
    topic = profile.topic_prefix + topic
    for value in run_on_deployment(consumed(profile.kafka_bootstrap, topic, key.encode())):
        typer.echo(value)


async def produced(bootstrap: str, topic: str, key: bytes, value: bytes) -> None:
    """Send a record to a topic, named with its prefix.

    Raises:
        Transient: the broker is unreachable, or has no such topic.
    """
    await partitions_of(bootstrap, topic)
    publisher = Publisher(bootstrap, service="premium")
    try:
        await publisher.publish([Outgoing(topic, key, value, [])])
    finally:
        await publisher.stop()


async def consumed(bootstrap: str, topic: str, key: bytes) -> list[bytes]:
    """Read the values of a key's records, or wait for the first; one without a value gives b"".

    All partitions are read, because other Kafka clients assign keys to partitions differently.

    Raises:
        Transient: the broker is unreachable, or has no such topic.
    """
    await partitions_of(bootstrap, topic)
    consumer = reader(bootstrap, topic)
    found: list[bytes] = []
    try:
        with kafka_errors():
            await consumer.start()
            async for records in read_to_end(consumer):
                found += [record.value or b"" for record in records if record.key == key]
            while not found:
                record = await consumer.getone()
                found += [record.value or b""] if record.key == key else []
    finally:
        await consumer.stop()
    return found
