"""One trial: a batch is inserted, its records are received, lags and counts computed."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import uuid4

from lab.bench.due.batch import Batch
from lab.bench.measures import CLOCK_TICK_S, pause
from lab.bench.topic_listener import Arrival, TopicListener, listen_to, wall_ahead_s
from premium.errors import CommandError

__all__ = [
    "Outcome",
    "PendingBatch",
    "Received",
    "Subject",
    "after",
    "at_once",
    "insert_steady_load",
    "outcome",
    "pending",
    "received",
    "steady",
    "trial",
]

_LEAD: Final = timedelta(seconds=4)
_INSERTED_HZ: Final = 3_000
"""The slowest subject inserts at least so many clocks a second."""
_IDLE_S_MAX: Final = 30
"""After so long without a record, all clocks without one count as missing."""
_DOUBLES_S: Final = 2
"""Time for duplicates, which may come after the first record of every clock."""
_LATE_S: Final = 180
"""Clocks without a record so long after the last due time count as missing, too."""


class Subject(Protocol):
    """A system that announces due clocks: a peer, or ours."""

    name: str
    bootstrap: str
    topic: str

    async def now(self) -> datetime:
        """Return PostgreSQL's time."""

    async def prepare(self, batch: Batch) -> None:
        """Insert clocks that stay open, while nothing runs."""

    def working(self) -> AbstractAsyncContextManager[None]:
        """Run the system during the block, then delete its unfinished work."""

    async def insert(self, batch: Batch) -> None:
        """Insert clocks that fall due, while it runs."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a batch.

    ``lags_ms`` are from due to received, of the received; ``early`` counts records written before
    the due time, ``doubled`` further events of one clock, ``repeated`` further records of one event
    (consumers drop them by its id), ``missing`` clocks without a record. ``out_s`` is the time from
    the first due time until the last record was received.
    """

    lags_ms: Sequence[float]
    early: int
    doubled: int
    repeated: int
    missing: int
    out_s: float


@dataclass(frozen=True, slots=True)
class PendingBatch:
    """A batch that is about to fall due, and the listener for its records."""

    batch: Batch
    keys: frozenset[bytes]
    """Computed before the first is due, because a hundred thousand take a moment."""
    listener: TopicListener


@dataclass(frozen=True, slots=True)
class Received:
    """The records of a batch; ``ahead_s`` is PostgreSQL's clock minus the monotonic clock."""

    batch: Batch
    arrivals: Mapping[bytes, Arrival]
    ahead_s: float


def steady(now: datetime, *, rate_hz: float, count: int) -> Batch:
    """Return clocks that fall due at a steady rate, soon."""
    return Batch(uuid4().hex, count, now + _lead(count), timedelta(seconds=1 / rate_hz))


def at_once(now: datetime, *, count: int) -> Batch:
    """Return clocks that fall due at one instant, soon."""
    return Batch(uuid4().hex, count, now + _lead(count))


@asynccontextmanager
async def pending(
    subject: Subject, make: Callable[[datetime], Batch]
) -> AsyncIterator[PendingBatch]:
    """Insert a batch and listen. Raises CommandError if a clock fell due before the last insert."""
    async with listen_to(subject.bootstrap, subject.topic) as listener:
        batch = make(await subject.now())
        await subject.insert(batch)
        keys = frozenset(batch.keys)
        if await subject.now() >= batch.first:
            raise CommandError(
                f"{subject.name}: the first clock fell due while others were inserted"
            )
        yield PendingBatch(batch, keys, listener)


async def insert_steady_load(
    subject: Subject, other: PendingBatch, *, rate_hz: float, seconds: float
) -> PendingBatch:
    """Insert clocks that fall due at a steady rate from the start of another batch."""
    step = timedelta(seconds=1 / rate_hz)
    batch = Batch(uuid4().hex, round(rate_hz * seconds), other.batch.first, step)
    await subject.insert(batch)
    return PendingBatch(batch, frozenset(batch.keys), other.listener)


async def received(subject: Subject, pending: PendingBatch) -> Received:
    """Wait until a record of each clock has come, or none is expected any more."""
    batch = pending.batch
    await pause((batch.first - await subject.now()).total_seconds())
    within_s = (batch.last - batch.first).total_seconds() + _LATE_S
    arrivals = await pending.listener.wait_for(pending.keys, idle_s=_IDLE_S_MAX, within_s=within_s)
    await pause(_DOUBLES_S)
    return Received(batch, arrivals, await wall_ahead_s(subject.now))


async def trial(subject: Subject, make: Callable[[datetime], Batch]) -> Outcome:
    """Insert a batch, wait for its records, compute the outcome."""
    async with pending(subject, make) as waiting:
        return outcome(await received(subject, waiting))


def outcome(found: Received) -> Outcome:
    """Compare the due clocks with the received records."""
    batch, arrivals = found.batch, found.arrivals
    due_s = zip(batch.keys, (at.timestamp() for at in batch.due_at), strict=True)
    came = [(arrivals[key], at_s) for key, at_s in due_s if key in arrivals]
    received_s = [arrival.received_s + found.ahead_s for arrival, _ in came]
    first_s = batch.first.timestamp()
    return Outcome(
        lags_ms=[(at - due) * 1000 for at, (_, due) in zip(received_s, came, strict=True)],
        early=sum(arrival.written_s + CLOCK_TICK_S <= at_s for arrival, at_s in came),
        doubled=sum(arrival.doubles for arrival, _ in came),
        repeated=sum(arrival.repeats for arrival, _ in came),
        missing=batch.count - len(came),
        out_s=max(received_s, default=first_s) - first_s,
    )


def after(found: Received, moment: datetime) -> float | None:
    """Return how late, in ms, the next clock due after a moment was; None: it is missing."""
    batch = found.batch
    next_key = next(
        (pair for pair in zip(batch.keys, batch.due_at, strict=True) if pair[1] >= moment), None
    )
    if next_key is None or next_key[0] not in found.arrivals:
        return None
    key, due_at = next_key
    return (found.arrivals[key].received_s + found.ahead_s - due_at.timestamp()) * 1000


def _lead(count: int) -> timedelta:
    return _LEAD + timedelta(seconds=count / _INSERTED_HZ)
