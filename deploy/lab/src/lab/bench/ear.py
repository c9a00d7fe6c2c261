"""Listens on a topic, and notes when the first record of each key came and how many followed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from math import inf

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from premium.broker import Broker
from shared.basics.clock import elapsed_s, wait_at_most
from shared.platform.record_batches import reader

__all__ = ["Arrival", "Ear", "listening", "wall_ahead_s"]


@dataclass(slots=True)
class Arrival:
    """The first record of a key; ``heard_s`` is ours, ``written_s`` the writer's, by the wall.

    ``repeats`` are records with the id of that first one, which readers drop; ``doubles`` have
    another, or none.
    """

    heard_s: float
    written_s: float
    id: bytes | None
    repeats: int = 0
    doubles: int = 0


@dataclass(slots=True)
class Ear:
    """What was heard so far, by key."""

    consumer: AIOKafkaConsumer
    arrivals: dict[bytes, Arrival] = field(default_factory=dict)
    _wanted: set[bytes] = field(default_factory=set)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        """Go on until cancelled."""
        while True:
            found = await self.consumer.getmany(timeout_ms=1000)
            heard_s = elapsed_s()
            for record in (record for records in found.values() for record in records):
                self.note(record, heard_s)

    async def hear(
        self, keys: Iterable[bytes], *, silent_s: float, within_s: float = inf
    ) -> Mapping[bytes, Arrival]:
        """Wait for all, until none came for ``silent_s``; what came by then is returned."""
        wanted = set(keys)
        self._wanted = wanted - self.arrivals.keys()
        since_s = elapsed_s()
        left = len(self._wanted) + 1
        while left > len(self._wanted) > 0 and elapsed_s(since_s) < within_s:
            left = len(self._wanted)
            self._news.clear()
            await wait_at_most(self._news.wait(), silent_s)
        return {key: self.arrivals[key] for key in wanted & self.arrivals.keys()}

    def note(self, record: "ConsumerRecord[bytes, bytes]", heard_s: float) -> None:
        """Keep the first record of each key, and count the others."""
        key, event_id = record.key, dict(record.headers).get("ce_id")
        known = self.arrivals.get(key)
        if known is not None:
            repeated = event_id is not None and event_id == known.id
            known.repeats += repeated
            known.doubles += not repeated
            return
        self.arrivals[key] = Arrival(heard_s, record.timestamp / 1000, event_id)
        if key in self._wanted:
            self._wanted.discard(key)
            self._news.set()


@asynccontextmanager
async def listening(bootstrap: str, topic: str) -> AsyncIterator[Ear]:
    """Listen to what is published from now on."""
    broker = Broker(bootstrap)
    ends = await broker.ends([topic])
    await broker.close()
    consumer = reader(bootstrap)
    await consumer.start()
    try:
        consumer.assign(list(ends))
        for place, end in ends.items():
            consumer.seek(place, end)
        ear = Ear(consumer)
        hearing = asyncio.create_task(ear.listen())
        try:
            yield ear
        finally:
            hearing.cancel()
            await asyncio.wait({hearing})
    finally:
        await consumer.stop()


async def wall_ahead_s(now: Callable[[], Awaitable[datetime]]) -> float:
    """Measure how far PostgreSQL's clock is ahead of ours, at the quickest of some questions."""
    asked = []
    for _ in range(20):
        before_s = elapsed_s()
        wall = await now()
        took_s = elapsed_s(before_s)
        asked.append((took_s, wall.timestamp() - (before_s + took_s / 2)))
    return min(asked)[1]
