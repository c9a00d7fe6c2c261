"""Writes records with another client, confluent-kafka (librdkafka)."""

import asyncio
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from shared.platform.publisher import Outgoing
from shared.testing.topics import Topics

__all__ = ["send", "send_undecodable", "set_offsets", "transactions"]

_CRC_AT, _CRC_FROM = 17, 21  # https://kafka.apache.org/documentation/#recordbatch
_SNAPPY: Final = b"\x82SNAPPY\x00\x00\x00\x00\x01"


class Write(Protocol):
    """Writes a transaction."""

    def __call__(self, records: Iterable[Outgoing], *, commit: bool) -> None:
        """Commit it, or abort it."""


async def send(topics: Topics, records: Iterable[Outgoing], **settings: str) -> None:
    """Write records and wait for the acknowledgement.

    ``settings`` are librdkafka's, with _ for a dot.
    """
    producer = _producer(topics, **settings)
    _produce(producer, topics, records)
    assert await asyncio.to_thread(producer.flush, 30) == 0


def set_offsets(topics: Topics, group: str, topic: str, offsets: Iterable[int]) -> None:
    """Replace the offsets that a group without members has committed, one a partition."""
    places = [TopicPartition(topics.prefix + topic, n, at) for n, at in enumerate(offsets)]
    wanted = ConsumerGroupTopicPartitions(topics.prefix + group, places)
    admin = AdminClient({"bootstrap.servers": topics.bootstrap})
    for changed in admin.alter_consumer_group_offsets([wanted]).values():
        changed.result(30)


async def send_undecodable(topics: Topics, records: Iterable[Outgoing]) -> bytes:
    """Write a batch that the broker accepts and that cannot be decoded; return its checksum.

    The version in Snappy's framing is changed; brokers ignore it, clients know only the first.
    """
    producer = AIOKafkaProducer(bootstrap_servers=topics.bootstrap, compression_type="snappy")
    await producer.start()
    try:
        batch = producer.create_batch()
        for record in records:
            topic = topics.prefix + record.topic
            batch.append(key=record.key, value=record.value, timestamp=None, headers=record.headers)
        batch.close()
        written = bytearray(batch._build().replace(_SNAPPY, _SNAPPY[:-1] + b"\x02"))
        struct.pack_into(">I", written, _CRC_AT, calc_crc32c(written[_CRC_FROM:]))
        batch._buffer = written
        await (await producer.send_batch(batch, topic, partition=0))
    finally:
        await producer.stop()
    return bytes(written[_CRC_FROM:])


@contextmanager
def transactions(topics: Topics) -> Iterator[Write]:
    """Write records in transactions."""
    producer = _producer(topics, transactional_id=f"{topics.prefix}writer")
    producer.init_transactions(30)

    def write(records: Iterable[Outgoing], *, commit: bool) -> None:
        producer.begin_transaction()
        _produce(producer, topics, records)
        producer.flush(30)
        if commit:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)

    yield write


def _producer(topics: Topics, **settings: str) -> Producer:
    given = {name.replace("_", "."): value for name, value in settings.items()}
    return Producer({"bootstrap.servers": topics.bootstrap, "linger.ms": 50, **given})


def _produce(producer: Producer, topics: Topics, records: Iterable[Outgoing]) -> None:
    for record in records:
        producer.produce(
            topics.prefix + record.topic,
            key=record.key,
            value=record.value,
            headers=[*record.headers],
        )
