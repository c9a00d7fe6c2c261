"""The three measurements, the same for whatever is measured."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import uuid4

import psutil
from aiokafka import AIOKafkaConsumer

from premium.bench.load import requests
from premium.proof.broker import Broker
from premium.stack import StackError
from shared.clock import elapsed_s, or_after
from shared.errors import Transient
from shared.events import SupportRequest

__all__ = ["TARGET", "Burst", "Cost", "Due", "Subject", "burst", "due", "latencies", "until_rest"]

_LOOK_S: Final = 0.05
_STUCK_S: Final = 300
_SILENT_S: Final = 60
TARGET: Final = timedelta(hours=1)
"""What a super admin is promised by email (DOMAIN, "Response times")."""
_LEAD: Final = timedelta(seconds=6)
_CLOCK_TICK_S: Final = 0.001
"""Kafka's timestamps are cut off to milliseconds."""


class Subject(Protocol):
    """What is measured: the floor, or ours."""

    bootstrap: str
    topics: Sequence[str]
    """Where a ticket leaves records."""
    assigned: str
    broken: str
    processes: Mapping[str, psutil.Process]
    """What works for it, by name."""

    async def now(self) -> datetime:
        """Ask PostgreSQL for the time."""

    async def send(self, wanted: Sequence[SupportRequest]) -> None:
        """Put requests on the inbound topic."""

    async def enter(self, request: SupportRequest) -> None:
        """Take one request by the front door."""

    async def start_clocks(self, wanted: Sequence[SupportRequest]) -> None:
        """Let clocks fall due an hour after the create dates."""

    async def planned(self) -> int:
        """Count the deliveries that were ever planned."""

    async def unrest(self) -> str | None:
        """Name work that is left, or None. May raise Transient."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took."""

    cpu_s: float
    rss_mib: float


@dataclass(frozen=True, slots=True)
class Burst:
    """What became of many tickets at once. ``records`` are all published, the inbound included.

    ``planned_s`` lasted until every delivery was planned, ``rest_s`` until nothing was left to do:
    topics read to their ends, outboxes empty, mails sent.
    """

    tickets: int
    records: int
    planned_s: float
    rest_s: float
    costs: Mapping[str, Cost]


@dataclass(frozen=True, slots=True)
class Due:
    """From due to received, each; ``early`` counts what was published before it was due."""

    lags_ms: Sequence[float]
    early: int


@dataclass(frozen=True, slots=True)
class _Arrival:
    heard_s: float
    written_s: float
    """When the writer says it wrote it, on the wall clock."""


@dataclass(slots=True)
class _Ear:
    """Notes the first record of each key on a topic."""

    consumer: AIOKafkaConsumer
    _arrivals: dict[bytes, _Arrival] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        """Go on until cancelled."""
        while True:
            found = await self.consumer.getmany(timeout_ms=1000)
            heard_s = elapsed_s()
            for record in (record for records in found.values() for record in records):
                self._arrivals.setdefault(record.key, _Arrival(heard_s, record.timestamp / 1000))
            self._news.set()

    async def hear(self, wanted: Sequence[SupportRequest]) -> list[_Arrival]:
        """Wait for all. Raises StackError when one is not heard of."""
        keys = [str(request.ticket_id).encode() for request in wanted]
        since_s = elapsed_s()
        while missing := [key for key in keys if key not in self._arrivals]:
            if elapsed_s(since_s) > _SILENT_S:
                raise StackError(f"{len(missing)} tickets not heard of in {_SILENT_S} s")
            self._news.clear()
            await or_after(self._news.wait(), 1)
        return [self._arrivals[key] for key in keys]


async def burst(subject: Subject, tickets: int) -> Burst:
    """Put tickets on the inbound topic at once, and time what becomes of them."""
    broker = Broker(subject.bootstrap)
    try:
        wanted = requests(uuid4().hex, [await subject.now()] * tickets)
        ends, planned = await broker.ends(subject.topics), await subject.planned()
        cpu_s = {name: _cpu_s(process) for name, process in subject.processes.items()}
        since_s = elapsed_s()
        await subject.send(wanted)
        await _until_planned(subject, planned + tickets)
        planned_s = elapsed_s(since_s)
        await until_rest(subject)
        rest_s = elapsed_s(since_s)
        records = sum((await broker.ends(subject.topics)).values()) - sum(ends.values())
    finally:
        await broker.close()
    costs = {
        name: Cost(_cpu_s(process) - cpu_s[name], process.memory_info().rss / 2**20)
        for name, process in subject.processes.items()
    }
    return Burst(tickets, records, planned_s, rest_s, costs)


async def latencies(subject: Subject, *, rate_hz: float, count: int) -> list[float]:
    """Send at a steady rate, whatever comes back.

    Returned are milliseconds from when each *should* have been sent to when its assignment came.
    """
    wanted = requests(uuid4().hex, [await subject.now()] * count)
    async with _listening(subject, subject.assigned) as ear:
        begin_s = elapsed_s()
        at_s = [begin_s + number / rate_hz for number in range(count)]
        async with asyncio.TaskGroup() as sending:
            for request, moment_s in zip(wanted, at_s, strict=True):
                await _pause(moment_s - elapsed_s())
                sending.create_task(subject.enter(request))
        arrivals = await ear.hear(wanted)
    await until_rest(subject)
    return [(a.heard_s - moment) * 1000 for a, moment in zip(arrivals, at_s, strict=True)]


async def due(subject: Subject, *, rate_hz: float, count: int) -> Due:
    """Let clocks fall due at a steady rate; how late each is heard of, by PostgreSQL's clock."""
    first = await subject.now() + _LEAD
    due_at = [first + timedelta(seconds=number / rate_hz) for number in range(count)]
    wanted = requests(uuid4().hex, [at - TARGET for at in due_at])
    async with _listening(subject, subject.broken) as ear:
        await subject.start_clocks(wanted)
        await until_rest(subject)
        if await subject.now() >= first:
            raise StackError("the first clock fell due while others were being started: try again")
        arrivals = await ear.hear(wanted)
        ahead_s = await _wall_ahead_s(subject)
    await until_rest(subject)
    pairs = list(zip(arrivals, (at.timestamp() for at in due_at), strict=True))
    return Due(
        lags_ms=[(arrival.heard_s + ahead_s - at_s) * 1000 for arrival, at_s in pairs],
        early=sum(arrival.written_s + _CLOCK_TICK_S <= at_s for arrival, at_s in pairs),
    )


async def until_rest(subject: Subject) -> None:
    """Wait until nothing is left to do. Raises StackError when that takes too long."""
    since_s = elapsed_s()
    while (unrest := await _unrest(subject)) is not None:
        if elapsed_s(since_s) > _STUCK_S:
            raise StackError(f"no rest in {_STUCK_S} s: {unrest}")
        await _pause(_LOOK_S)


async def _unrest(subject: Subject) -> str | None:
    try:
        return await subject.unrest()
    except Transient as e:
        return str(e)


async def _until_planned(subject: Subject, wanted: int) -> None:
    since_s = elapsed_s()
    while (planned := await subject.planned()) < wanted:
        if elapsed_s(since_s) > _STUCK_S:
            raise StackError(f"{wanted - planned} deliveries not planned in {_STUCK_S} s")
        await _pause(_LOOK_S)


@asynccontextmanager
async def _listening(subject: Subject, topic: str) -> AsyncIterator[_Ear]:
    broker = Broker(subject.bootstrap)
    ends = await broker.ends([topic])
    await broker.close()
    consumer = AIOKafkaConsumer(bootstrap_servers=subject.bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(list(ends))
        for place, end in ends.items():
            consumer.seek(place, end)
        ear = _Ear(consumer)
        listening = asyncio.create_task(ear.listen())
        try:
            yield ear
        finally:
            listening.cancel()
            await asyncio.wait({listening})
    finally:
        await consumer.stop()


async def _wall_ahead_s(subject: Subject) -> float:
    """Measure how far PostgreSQL's clock is ahead of ours, at the quickest of some questions."""
    asked = []
    for _ in range(20):
        before_s = elapsed_s()
        wall = await subject.now()
        took_s = elapsed_s(before_s)
        asked.append((took_s, wall.timestamp() - (before_s + took_s / 2)))
    return min(asked)[1]


async def _pause(wait_s: float) -> None:
    if wait_s > 0:
        await or_after(asyncio.Event().wait(), wait_s)


def _cpu_s(process: psutil.Process) -> float:
    """Add up processor time, with that of processes it has started (PostgreSQL's backends)."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        times = one.cpu_times()
        total += times.user + times.system
    return total
