"""The three measurements, the same for whatever is measured."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import uuid4

import psutil

from lab.bench.ear import Arrival, Ear, listening, wall_ahead_s
from lab.bench.load import requests
from premium.broker import Broker
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

_LOOK_S: Final = 0.05
_STUCK_S: Final = 300
_SILENT_S: Final = 60
TARGET: Final = timedelta(hours=1)
"""What a super admin is promised by email (DOMAIN, "Response times")."""
_LEAD: Final = timedelta(seconds=6)
CLOCK_TICK_S: Final = 0.001
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


async def burst(subject: Subject, tickets: int) -> Burst:
    """Put tickets on the inbound topic at once, and time what becomes of them."""
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
    """Send at a steady rate, whatever comes back.

    Returned are milliseconds from when each *should* have been sent to when its assignment came.
    """
    wanted = requests(uuid4().hex, [await subject.now()] * count)
    async with listening(subject.bootstrap, subject.assigned) as ear:
        begin_s = elapsed_s()
        at_s = [begin_s + number / rate_hz for number in range(count)]
        async with asyncio.TaskGroup() as sending:
            for request, moment_s in zip(wanted, at_s, strict=True):
                await pause(moment_s - elapsed_s())
                sending.create_task(subject.enter(request))
        arrivals = await _hear(ear, wanted)
    await until_rest(subject)
    return [(a.heard_s - moment) * 1000 for a, moment in zip(arrivals, at_s, strict=True)]


async def due(subject: Subject, *, rate_hz: float, count: int) -> Due:
    """Let clocks fall due at a steady rate; how late each is heard of, by PostgreSQL's clock."""
    first = await subject.now() + _LEAD
    due_at = [first + timedelta(seconds=number / rate_hz) for number in range(count)]
    wanted = requests(uuid4().hex, [at - TARGET for at in due_at])
    async with listening(subject.bootstrap, subject.broken) as ear:
        await subject.start_clocks(wanted)
        await until_rest(subject)
        if await subject.now() >= first:
            raise CommandError(
                "the first clock fell due while others were being started: try again"
            )
        arrivals = await _hear(ear, wanted)
        ahead_s = await wall_ahead_s(subject.now)
    await until_rest(subject)
    pairs = list(zip(arrivals, (at.timestamp() for at in due_at), strict=True))
    return Due(
        lags_ms=[(arrival.heard_s + ahead_s - at_s) * 1000 for arrival, at_s in pairs],
        early=sum(arrival.written_s + CLOCK_TICK_S <= at_s for arrival, at_s in pairs),
    )


async def until_rest(subject: Subject) -> None:
    """Wait until nothing is left to do. Raises CommandError when that takes too long."""
    since_s = elapsed_s()
    while (unrest := await _unrest(subject)) is not None:
        if elapsed_s(since_s) > _STUCK_S:
            raise CommandError(f"no rest in {_STUCK_S} s: {unrest}")
        await pause(_LOOK_S)


async def _unrest(subject: Subject) -> str | None:
    try:
        return await subject.unrest()
    except Transient as e:
        return str(e)


async def _until_planned(subject: Subject, wanted: int) -> None:
    since_s = elapsed_s()
    while (planned := await subject.planned()) < wanted:
        if elapsed_s(since_s) > _STUCK_S:
            raise CommandError(f"{wanted - planned} deliveries not planned in {_STUCK_S} s")
        await pause(_LOOK_S)


async def _hear(ear: Ear, wanted: Sequence[SupportRequest]) -> list[Arrival]:
    """Wait for all. Raises CommandError when one is not heard of."""
    keys = [str(request.ticket_id).encode() for request in wanted]
    arrivals = await ear.hear(keys, silent_s=_SILENT_S)
    if len(arrivals) < len(keys):
        raise CommandError(f"{len(keys) - len(arrivals)} tickets not heard of in {_SILENT_S} s")
    return [arrivals[key] for key in keys]


async def pause(wait_s: float) -> None:
    """Let time pass; none if it has passed."""
    if wait_s > 0:
        await wait_at_most(asyncio.Event().wait(), wait_s)


def cpu_s(process: psutil.Process) -> float:
    """Add up processor time, with that of processes it has started (PostgreSQL's backends).

    Those that have ended by now count as well: with who started them, who is asked last.
    """
    total = 0.0
    for one in (*process.children(recursive=True), process):
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total
