"""The three measurements, the same for both systems: a burst, latencies, and due clocks."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import uuid4

import psutil

from lab.bench.load import requests
from lab.bench.topic_listener import Arrival, TopicListener, listen_to, wall_ahead_s
from lab.broker import Broker
from premium.errors import CommandError
from shared.basics.clock import elapsed_s, wait_at_most
from shared.basics.errors import Transient
from shared.events import SupportRequest

__all__ = [
    "CLOCK_TICK_S",
    "TARGET",
    "Burst",
    "Cost",
    "Due",
    "Subject",
    "burst",
    "cpu_s",
    "due",
    "latencies",
    "pause",
    "until_rest",
]

_POLL_S: Final = 0.05
_WAIT_S_MAX: Final = 300
_IDLE_S_MAX: Final = 60
TARGET: Final = timedelta(hours=1)
"""A super admin's promise by email."""
_LEAD: Final = timedelta(seconds=6)
CLOCK_TICK_S: Final = 0.001
"""Kafka truncates timestamps to milliseconds."""


class Subject(Protocol):
    """A measured system: the baseline, or ours."""

    bootstrap: str
    topics: Sequence[str]
    """The topics with records of a ticket."""
    assigned: str
    broken: str
    processes: Mapping[str, psutil.Process]
    """Its processes, by name."""

    async def now(self) -> datetime:
        """Return PostgreSQL's time."""

    async def send(self, wanted: Sequence[SupportRequest]) -> None:
        """Publish requests on the inbound topic."""

    async def submit(self, request: SupportRequest) -> None:
        """Submit one request, by HTTP if there is an API."""

    async def start_clocks(self, wanted: Sequence[SupportRequest]) -> None:
        """Start clocks that fall due an hour after the create dates."""

    async def planned(self) -> int:
        """Count all planned deliveries."""

    async def unrest(self) -> str | None:
        """Describe unfinished work; None if there is none. May raise Transient."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor time and memory of a process."""

    cpu_s: float
    rss_mib: float


@dataclass(frozen=True, slots=True)
class Burst:
    """The result of many tickets at once. ``records`` counts all records, also inbound ones.

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
    """Lags from due to received; ``early`` counts events that were published before due."""

    lags_ms: Sequence[float]
    early: int


async def burst(subject: Subject, tickets: int) -> Burst:
    """Publish requests at once, and measure how long their processing takes."""
    broker = Broker(subject.bootstrap)
    try:
        wanted = requests(uuid4().hex, [await subject.now()] * tickets)
        ends, planned = await broker.ends(subject.topics), await subject.planned()
        before_s = {name: cpu_s(process) for name, process in subject.processes.items()}
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
        name: Cost(cpu_s(process) - before_s[name], process.memory_info().rss / 2**20)
        for name, process in subject.processes.items()
    }
    return Burst(tickets, records, planned_s, rest_s, costs)


async def latencies(subject: Subject, *, rate_hz: float, count: int) -> list[float]:
    """Send at a steady rate, however late the answers are.

    Return the milliseconds from when each request *should* have been sent to its assignment.
    """
    wanted = requests(uuid4().hex, [await subject.now()] * count)
    async with listen_to(subject.bootstrap, subject.assigned) as listener:
        begin_s = elapsed_s()
        at_s = [begin_s + number / rate_hz for number in range(count)]
        async with asyncio.TaskGroup() as sending:
            for request, moment_s in zip(wanted, at_s, strict=True):
                await pause(moment_s - elapsed_s())
                sending.create_task(subject.submit(request))
        arrivals = await _wait_for(listener, wanted)
    await until_rest(subject)
    return [(a.received_s - moment) * 1000 for a, moment in zip(arrivals, at_s, strict=True)]


async def due(subject: Subject, *, rate_hz: float, count: int) -> Due:
    """Start clocks that fall due at a steady rate; measure lags by PostgreSQL's clock."""
    first = await subject.now() + _LEAD
    due_at = [first + timedelta(seconds=number / rate_hz) for number in range(count)]
    wanted = requests(uuid4().hex, [at - TARGET for at in due_at])
    async with listen_to(subject.bootstrap, subject.broken) as listener:
        await subject.start_clocks(wanted)
        await until_rest(subject)
        if await subject.now() >= first:
            raise CommandError(
                "the first clock fell due while others were being started: try again"
            )
        arrivals = await _wait_for(listener, wanted)
        ahead_s = await wall_ahead_s(subject.now)
    await until_rest(subject)
    pairs = list(zip(arrivals, (at.timestamp() for at in due_at), strict=True))
    return Due(
        lags_ms=[(arrival.received_s + ahead_s - at_s) * 1000 for arrival, at_s in pairs],
        early=sum(arrival.written_s + CLOCK_TICK_S <= at_s for arrival, at_s in pairs),
    )


async def until_rest(subject: Subject) -> None:
    """Wait until no work is left. Raises CommandError if that takes too long."""
    since_s = elapsed_s()
    while (unrest := await _unrest(subject)) is not None:
        if elapsed_s(since_s) > _WAIT_S_MAX:
            raise CommandError(f"unfinished after {_WAIT_S_MAX} s: {unrest}")
        await pause(_POLL_S)


async def _unrest(subject: Subject) -> str | None:
    try:
        return await subject.unrest()
    except Transient as e:
        return str(e)


async def _until_planned(subject: Subject, wanted: int) -> None:
    since_s = elapsed_s()
    while (planned := await subject.planned()) < wanted:
        if elapsed_s(since_s) > _WAIT_S_MAX:
            raise CommandError(f"{wanted - planned} deliveries not planned in {_WAIT_S_MAX} s")
        await pause(_POLL_S)


async def _wait_for(listener: TopicListener, wanted: Sequence[SupportRequest]) -> list[Arrival]:
    """Wait for a record of each request. Raises CommandError if one is missing."""
    keys = [str(request.ticket_id).encode() for request in wanted]
    arrivals = await listener.wait_for(keys, idle_s=_IDLE_S_MAX)
    if len(arrivals) < len(keys):
        raise CommandError(
            f"{len(keys) - len(arrivals)} tickets without an event for {_IDLE_S_MAX} s"
        )
    return [arrivals[key] for key in keys]


async def pause(wait_s: float) -> None:
    """Wait; return at once if ``wait_s`` is not positive."""
    if wait_s > 0:
        await wait_at_most(asyncio.Event().wait(), wait_s)


def cpu_s(process: psutil.Process) -> float:
    """Return the processor time of a process and its children (PostgreSQL's backends).

    The time of a child that has ended is in its parent's time, so the parent is read last.
    """
    total = 0.0
    for one in (*process.children(recursive=True), process):
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total
