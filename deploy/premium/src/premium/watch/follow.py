"""Follows one topic without a group: nobody else is disturbed, nothing is remembered."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError

from premium.broker import Broker, Offsets
from shared.basics.errors import Poison
from shared.events import Envelope, Event
from shared.events.codec import Record, Skipped, read
from shared.platform.record_batches import reader

__all__ = ["Feed", "Since", "following"]

_WAIT_MS: Final = 500
"""The longest that nothing is shown anew."""
_RECORDS_MAX: Final = 500


class Since(StrEnum):
    """Where to begin."""

    BEGINNING = "beginning"
    NOW = "now"


class Feed:
    """Hands out events, each with whether it was written after the watch began."""

    def __init__(self, consumer: AIOKafkaConsumer, ends: Offsets) -> None:
        self._consumer = consumer
        self._ends = ends

    @property
    def partitions(self) -> Collection[int]:
        """The topic's."""
        return [place.partition for place in self._ends]

    async def next(self) -> Sequence[tuple[Envelope[Event], bool]]:
        """Wait a moment for what comes; what cannot be read is passed over."""
        batches = await self._consumer.getmany(timeout_ms=_WAIT_MS, max_records=_RECORDS_MAX)
        return [
            (envelope, record.offset >= self._ends[place])
            for place, records in batches.items()
            for record in records
            if (envelope := _read(record)) is not None
        ]


@asynccontextmanager
async def following(bootstrap: str, topic: str, since: Since) -> AsyncIterator[Feed]:
    """Follow a topic. Raises Transient or KafkaError while the broker, or the topic, is away."""
    ends = await _ends(bootstrap, topic)
    consumer = reader(bootstrap)
    await consumer.start()
    try:
        places = list(ends)
        consumer.assign(places)
        starts = ends if since is Since.NOW else await consumer.beginning_offsets(places)
        for place, offset in starts.items():
            consumer.seek(place, offset)
        yield Feed(consumer, ends)
    finally:
        with suppress(KafkaError, OSError):
            await consumer.stop()


async def _ends(bootstrap: str, topic: str) -> Offsets:
    broker = Broker(bootstrap)
    try:
        return await broker.ends([topic])
    finally:
        await broker.close()


def _read(record: ConsumerRecord) -> Envelope[Event] | None:
    with suppress(Poison):
        found = read(
            Record(
                record.topic,
                record.partition,
                record.offset,
                record.key,
                record.value,
                record.headers,
                record.timestamp,
            )
        )
        return None if isinstance(found, Skipped) else found
    return None
