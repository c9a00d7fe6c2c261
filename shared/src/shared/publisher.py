"""One supervised Kafka producer a service: rebuilt when it is wedged.

After a broker blip the idempotent producer may answer OutOfOrderSequence until it is made anew
(aio-libs/aiokafka#1017), and a send may never come back. Whatever goes wrong, the caller gets
Transient, keeps its rows, and sends them again through a fresh producer; readers drop doubles.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder

from shared import telemetry
from shared.errors import Transient
from shared.events.codec import Header

__all__ = ["Outgoing", "Publisher", "partition_of"]

_LOG = structlog.get_logger()
_ACK_S_MAX: Final = 15
_CLOSE_S_MAX: Final = 2
_REQUEST_BYTES_MAX: Final = 8 * 1024 * 1024
_BATCH_BYTES_MAX: Final = 128 * 1024
_POSITIVE: Final = 0x7FFFFFFF
_hash: Final[Callable[[bytes], int]] = lru_cache(maxsize=10_000)(murmur2)
"""A ticket's facts come soon after each other, and the hash is written in Python."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be published, byte for byte; its key finds a partition, if none is named."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[Header]
    partition: int | None = None


def partition_of(key: bytes | None, count: int) -> int:
    """Find a key's partition among so many, as Kafka's clients do; dead letters may have none."""
    return 0 if key is None else (_hash(key) & _POSITIVE) % count


class Publisher:
    """Publishes batches in order. ``topic_prefix`` is put before every topic's name."""

    def __init__(self, bootstrap: str, *, service: str, topic_prefix: str = "") -> None:
        self._bootstrap = bootstrap
        self._service = service
        self._prefix = topic_prefix
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect. Raises Transient while the broker is away."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            client_id=self._service,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=_BATCH_BYTES_MAX,
            max_request_size=_REQUEST_BYTES_MAX,
            request_timeout_ms=10_000,
            retry_backoff_ms=50,
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as e:
            await _close(producer)
            raise Transient(f"Kafka: {type(e).__name__}: {e}") from e
        self._producer = producer

    async def stop(self) -> None:
        """Close the connection."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await _close(producer)

    async def partitions(self, topic: str) -> int:
        """Count a topic's partitions. Raises Transient while the broker, or the topic, is away."""
        if self._producer is None:
            await self.start()
        assert self._producer is not None  # noqa: S101 - start() made it
        try:
            return len(await self._producer.partitions_for(self._prefix + topic))
        except (KafkaError, OSError, TimeoutError) as e:
            raise Transient(f"Kafka: {topic}: {type(e).__name__}: {e}") from e

    async def publish(self, records: Iterable[Outgoing]) -> None:
        """Publish all, acknowledged by all replicas, or raise Transient: then send all again."""
        if self._producer is None:
            await self.start()
        try:
            async with asyncio.timeout(_ACK_S_MAX):
                await self._send(records)
        except (KafkaError, OSError, TimeoutError) as e:
            telemetry.PRODUCER_REBUILT.inc()
            _LOG.warning("producer_rebuilt", reason=f"{type(e).__name__}: {e}")
            await self.stop()
            raise Transient(f"Kafka: {type(e).__name__}: {e}") from e

    async def _send(self, records: Iterable[Outgoing]) -> None:
        """Send whole batches: a promise for each, instead of one a record."""
        assert self._producer is not None  # noqa: S101 - publish() made it
        placed: dict[TopicPartition, list[Outgoing]] = {}
        for record in records:
            topic = self._prefix + record.topic
            partition = record.partition
            if partition is None:
                count = len(await self._producer.partitions_for(topic))
                partition = partition_of(record.key, count)
            placed.setdefault(TopicPartition(topic, partition), []).append(record)
        work = [_send_to(self._producer, place, those) for place, those in placed.items()]
        for result in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result


async def _send_to(
    producer: AIOKafkaProducer, place: TopicPartition, records: Sequence[Outgoing]
) -> None:
    acknowledged = [
        await producer.send_batch(batch, place.topic, partition=place.partition)
        for batch in _batches(producer, records)
    ]
    await asyncio.gather(*acknowledged)


def _batches(producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> Iterator[BatchBuilder]:
    """Fill one batch after another; the first record always fits, however large."""
    batch = producer.create_batch()
    for record in records:
        if not _fits(batch, record):
            yield batch
            batch = producer.create_batch()
            _fits(batch, record)
    yield batch


def _fits(batch: BatchBuilder, r: Outgoing) -> bool:
    added = batch.append(timestamp=None, key=r.key, value=r.value, headers=r.headers)
    return added is not None


async def _close(producer: AIOKafkaProducer) -> None:
    """Close without waiting for what a wedged producer still holds: the outbox has it."""
    with suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(_CLOSE_S_MAX):
            await producer.stop()
