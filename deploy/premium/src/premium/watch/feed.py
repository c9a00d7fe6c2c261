"""Reads one topic from all its partitions, outside any consumer group."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from premium.topics import event_of, kafka_errors, partitions_of
from shared.events import Envelope, Event
from shared.platform.record_batches import reader

__all__ = ["Feed", "Since", "topic_feed"]

_WAIT_MS: Final = 500
"""The longest time between two updates of the screen."""
_RECORDS_MAX: Final = 500


class Since(StrEnum):
    """Where to begin."""

    BEGINNING = "beginning"
    NOW = "now"


class Feed:
    """Returns events, each with whether it was written after the watch began."""

    def __init__(
        self, consumer: AIOKafkaConsumer, topic: str, ends: dict[TopicPartition, int]
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._ends = ends

    @property
    def partitions(self) -> Collection[int]:
        """The numbers of the topic's partitions."""
        return [place.partition for place in self._ends]

    async def next(self) -> Sequence[tuple[Envelope[Event], bool]]:
        """Wait up to half a second for events. Raises Transient if Kafka is unreachable."""
        with kafka_errors():
            batches = await self._consumer.getmany(timeout_ms=_WAIT_MS, max_records=_RECORDS_MAX)
        return [
            (envelope, record.offset >= self._ends[place])
            for place, records in batches.items()
            for record in records
            if (envelope := event_of(record, self._topic)) is not None
        ]


@asynccontextmanager
async def topic_feed(
    bootstrap: str, topic: str, since: Since, *, topic_prefix: str = ""
) -> AsyncIterator[Feed]:
    """Open a feed. Raises Transient if Kafka is unreachable or lacks the topic."""
    places = await partitions_of(bootstrap, topic_prefix + topic)
    consumer = reader(bootstrap)
    try:
        with kafka_errors():
            await consumer.start()
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            starts = ends if since is Since.NOW else await consumer.beginning_offsets(places)
            for place, offset in starts.items():
                consumer.seek(place, offset)
        yield Feed(consumer, topic, ends)
    finally:
        with suppress(KafkaError, OSError):
            await consumer.stop()
