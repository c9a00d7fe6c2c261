"""Reads a topic, and records when the first record of each key came and how many followed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from math import inf

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from lab.broker import Broker
from shared.basics.clock import elapsed_s, wait_at_most
from shared.platform.record_batches import reader

__all__ = ["Arrival", "TopicListener", "listen_to", "wall_ahead_s"]


@dataclass(slots=True)
class Arrival:
    """The first record of a key. ``received_s``: our monotonic clock; ``written_s``: Kafka's time.

    ``repeats`` counts further records with the same event id, which consumers drop; ``doubles``
    counts those with another id, or none.
    """

    received_s: float
    written_s: float
    id: bytes | None
    repeats: int = 0
    doubles: int = 0


@dataclass(slots=True)
class TopicListener:
    """The records received so far, by key."""

    consumer: AIOKafkaConsumer
    arrivals: dict[bytes, Arrival] = field(default_factory=dict)
    _wanted: set[bytes] = field(default_factory=set)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            found = await self.consumer.getmany(timeout_ms=1000)
            received_s = elapsed_s()
            for record in (record for records in found.values() for record in records):
                self.note(record, received_s)

    async def wait_for(
        self, keys: Iterable[bytes], *, idle_s: float, within_s: float = inf
    ) -> Mapping[bytes, Arrival]:
        """Wait for all keys, and return those that came.

        The wait ends early if no key comes for ``idle_s``, or after ``within_s``.
        """
        wanted = set(keys)
        self._wanted = wanted - self.arrivals.keys()
        since_s = elapsed_s()
        left = len(self._wanted) + 1
        while left > len(self._wanted) > 0 and elapsed_s(since_s) < within_s:
            left = len(self._wanted)
            self._news.clear()
            await wait_at_most(self._news.wait(), idle_s)
        return {key: self.arrivals[key] for key in wanted & self.arrivals.keys()}

    def note(self, record: "ConsumerRecord[bytes, bytes]", received_s: float) -> None:
        """Keep the first record of each key, and count the others."""
        key, event_id = record.key, dict(record.headers).get("ce_id")
        known = self.arrivals.get(key)
        if known is not None:
            repeated = event_id is not None and event_id == known.id
            known.repeats += repeated
            known.doubles += not repeated
            return
        self.arrivals[key] = Arrival(received_s, record.timestamp / 1000, event_id)
        if key in self._wanted:
            self._wanted.discard(key)
            self._news.set()


@asynccontextmanager
async def listen_to(bootstrap: str, topic: str) -> AsyncIterator[TopicListener]:
    """Listen to records that are published from now on."""
    broker = Broker(bootstrap)
    ends = await broker.ends([topic])
    await broker.close()
    consumer = reader(bootstrap)
    await consumer.start()
    try:
        consumer.assign(list(ends))
        for place, end in ends.items():
            consumer.seek(place, end)
        listener = TopicListener(consumer)
        receiving = asyncio.create_task(listener.run())
        try:
            yield listener
        finally:
            receiving.cancel()
            await asyncio.wait({receiving})
    finally:
        await consumer.stop()


async def wall_ahead_s(now: Callable[[], Awaitable[datetime]]) -> float:
    """Return PostgreSQL's clock minus our monotonic clock, by the fastest of 20 queries."""
    samples = []
    for _ in range(20):
        before_s = elapsed_s()
        wall = await now()
        took_s = elapsed_s(before_s)
        samples.append((took_s, wall.timestamp() - (before_s + took_s / 2)))
    return min(samples)[1]
