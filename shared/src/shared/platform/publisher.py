"""The Kafka producer of a service. It is replaced after every failure.

After a short broker failure the idempotent producer may fail with OutOfOrderSequence until it is
replaced (aio-libs/aiokafka#1017), and a send may never return. After any error the caller keeps its
rows and sends them again through a new producer; consumers drop duplicates. The exception names the
cause: the record (Poison), its topic (TopicUnavailable), or the broker (Transient).
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    CorruptRecordException,
    InvalidTimestampError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownError,
    UnsupportedForMessageFormatError,
)
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.basics.errors import Poison, Transient
from shared.events.codec import Header
from shared.platform import telemetry

__all__ = ["UNCLEAR", "Outgoing", "Publisher", "TopicUnavailable", "partition_of"]

_LOG = structlog.get_logger()
_ACK_S_MAX: Final = 15
_CLOSE_S_MAX: Final = 2
_REQUEST_BYTES_MAX: Final = 8 * 1024 * 1024
_BATCH_BYTES_MAX: Final = 128 * 1024
_POSITIVE: Final = 0x7FFFFFFF
_TOPIC_NAME: Final = re.compile(r"(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}")
_TOO_LARGE: Final = (MessageSizeTooLargeError, RecordListTooLargeError)
_TOPIC_FAULTS: Final = (
    InvalidTimestampError,  # our clock is wrong: the next record would be refused, too
    PolicyViolationError,
    TopicAuthorizationFailedError,
    UnsupportedForMessageFormatError,
)
_UNCLEAR_FAULTS: Final = (CorruptRecordException, UnknownError)
"""aiokafka maps newer error codes, such as INVALID_RECORD, and broker failures to UnknownError."""
UNCLEAR: Final = "refused"
"""The reason of a Poison that may disappear when the record is sent again."""
_hash: Final[Callable[[bytes], int]] = lru_cache(maxsize=10_000)(murmur2)
"""Cached: the hash is pure Python, and the events of one ticket come close together."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to publish, as bytes. Without a ``partition`` the key determines it."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[Header]
    partition: int | None = None


def partition_of(key: bytes | None, count: int) -> int:
    """Return the partition (of ``count``) that Kafka's clients choose for a key; 0 for no key."""
    return 0 if key is None else (_hash(key) & _POSITIVE) % count


class Publisher:
    """Publishes batches of records in order. ``topic_prefix`` precedes every topic's name."""

    def __init__(self, bootstrap: str, *, service: str, topic_prefix: str = "") -> None:
        self._bootstrap = bootstrap
        self._service = service
        self._prefix = topic_prefix
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect. Raises Transient while the broker is unavailable."""
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

    @property
    def service(self) -> str:
        """The name of the publishing service."""
        return self._service

    async def partitions(self, topic: str) -> int:
        """Count a topic's partitions.

        Raises:
            Transient: the broker or the topic is unavailable.
        """
        if self._producer is None:
            await self.start()
        return await self._counted(topic)

    async def publish(self, records: Iterable[Outgoing]) -> None:
        """Publish all records, in order within each partition, acknowledged by all replicas.

        After an error send all of them again, in the same order: some may already be published.

        Raises:
            Transient: the broker is unavailable.
            TopicUnavailable: a topic accepts no records.
            Poison: the broker refuses one of the records.
        """
        if self._producer is None:
            await self.start()
        try:
            async with asyncio.timeout(_ACK_S_MAX):
                await self._send(await self._placed(records))
        except (KafkaError, OSError, TimeoutError) as e:
            await self._replace(e)
            raise Transient(f"Kafka: {type(e).__name__}: {e}") from e

    async def _replace(self, why: Exception) -> None:
        """Drop the producer: after a failure its sequence numbers have a gap."""
        telemetry.PRODUCER_REBUILT.inc()
        _LOG.warning("producer_rebuilt", reason=f"{type(why).__name__}: {why}")
        await self.stop()

    async def _counted(self, topic: str) -> int:
        """Count partitions without waiting for a missing topic, which would delay other topics."""
        assert self._producer is not None  # noqa: S101 - the caller made it
        name, client = self._prefix + topic, self._producer.client
        if not _TOPIC_NAME.fullmatch(name):
            raise Poison(
                "bad_topic",
                f"{name!r} is not a valid topic name; fix the code that wrote the record",
            )
        if (known := client.cluster.partitions_for_topic(name)) is None:
            client.add_topic(name)
            known = await self._asked_for(name) or await self._asked_for(name)
        if known is None:
            raise TopicUnavailable(topic, "is missing or not authorised; create it or allow access")
        return len(known)

    async def _asked_for(self, name: str) -> set[int] | None:
        """Ask the broker for a topic's partitions.

        The first response may belong to an earlier request, so the caller asks twice.
        """
        assert self._producer is not None  # noqa: S101 - as above
        client = self._producer.client
        if not await client.force_metadata_update():
            raise Transient("Kafka: does not return its topics")
        known: set[int] | None = client.cluster.partitions_for_topic(name)
        return known

    async def _placed(self, records: Iterable[Outgoing]) -> dict[TopicPartition, list[Outgoing]]:
        """Group the records by partition, in order."""
        counts: dict[str, int] = {}
        placed: dict[TopicPartition, list[Outgoing]] = {}
        for record in records:
            if (count := counts.get(record.topic)) is None:
                count = counts[record.topic] = await self._counted(record.topic)
            partition = record.partition
            if partition is None:
                partition = partition_of(record.key, count)
            elif partition >= count:
                raise Poison(
                    "unknown_partition",
                    f"partition {partition} of {record.topic}, which has {count}; add partitions, "
                    "then redrive",
                )
            place = TopicPartition(self._prefix + record.topic, partition)
            placed.setdefault(place, []).append(record)
        return placed

    async def _send(self, placed: dict[TopicPartition, list[Outgoing]]) -> None:
        """Send whole batches, which needs one future per batch instead of one per record."""
        assert self._producer is not None  # noqa: S101 - publish() made it
        work = [_send_to(self._producer, place, those) for place, those in placed.items()]
        results = await asyncio.gather(*work, return_exceptions=True)
        for place, result in zip(placed, results, strict=True):
            if isinstance(result, KafkaError):
                refusal = _refusal(place.topic.removeprefix(self._prefix), result)
                if refusal is not None:
                    await self._replace(result)
                    raise refusal from result
            if isinstance(result, BaseException):
                raise result


class TopicUnavailable(Transient):
    """A topic accepts no record at the moment; other topics do."""

    def __init__(self, topic: str, why: str) -> None:
        super().__init__(f"{topic}: {why}")
        self.topic = topic


def _refusal(topic: str, error: KafkaError) -> Poison | TopicUnavailable | None:
    """Classify an error: the record is refused, the topic accepts nothing, or neither (None)."""
    if isinstance(error, _TOO_LARGE):
        return Poison(
            "too_large", f"larger than {topic} accepts; raise max.message.bytes, then redrive"
        )
    if isinstance(error, InvalidTopicError):
        return Poison("bad_topic", f"{topic} cannot be written to")
    if isinstance(error, _TOPIC_FAULTS):
        return TopicUnavailable(topic, f"refuses records: {error}")
    if isinstance(error, _UNCLEAR_FAULTS):
        return Poison(UNCLEAR, f"{topic} does not accept it: {error}; see the broker's log")
    return None


async def _send_to(
    producer: AIOKafkaProducer, place: TopicPartition, records: Sequence[Outgoing]
) -> None:
    """Send one batch after another: in parallel, a batch could overtake a refused one."""
    for batch in _batches(producer, records):
        await (await producer.send_batch(batch, place.topic, partition=place.partition))


def _batches(producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> Iterator[BatchBuilder]:
    """Split records into batches. Raises Poison for a record larger than a request may be."""
    batch = producer.create_batch()
    for record in records:
        if not _fits(batch, record):
            yield batch
            batch = producer.create_batch()
            _fits(batch, record)
        if batch.size() > _REQUEST_BYTES_MAX:
            raise Poison("too_large", f"more than the {_REQUEST_BYTES_MAX} bytes of a request")
    yield batch


def _fits(batch: BatchBuilder, r: Outgoing) -> bool:
    added = batch.append(timestamp=None, key=r.key, value=r.value, headers=r.headers)
    return added is not None


async def _close(producer: AIOKafkaProducer) -> None:
    """Close without waiting for unsent records: the outbox still has them."""
    with suppress(KafkaError, OSError):
        async with asyncio.timeout(_CLOSE_S_MAX):
            await producer.stop()
            return
    # It would send them when the broker is back: end its tasks and connections.
    with suppress(KafkaError, OSError):
        async with asyncio.timeout(_CLOSE_S_MAX):
            await producer._sender.close()  # noqa: SLF001
    await producer.client.close()
