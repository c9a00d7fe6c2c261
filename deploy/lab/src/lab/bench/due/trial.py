"""One trial: a batch planted, heard of, and made into lags and counts."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import uuid4

from lab.bench.due.batch import Batch
from lab.bench.ear import Arrival, Ear, listening, wall_ahead_s
from lab.bench.measures import CLOCK_TICK_S, pause
from premium.errors import CommandError

__all__ = [
    "Heard",
    "Outcome",
    "Sown",
    "Subject",
    "after",
    "at_once",
    "beside",
    "heard",
    "outcome",
    "sown",
    "steady",
    "trial",
]

_LEAD: Final = timedelta(seconds=4)
_PLANTED_HZ: Final = 3_000
"""So many clocks the slowest subject plants in a second, surely."""
_SILENT_S: Final = 30
"""What has not been heard of when nothing came for so long is given up as missing."""
_DOUBLES_S: Final = 2
"""What comes twice may come the second time after all have come once."""
_LATE_S: Final = 180
"""The same of what comes later than this: nobody waits for the slowest for an hour."""


class Subject(Protocol):
    """What announces due clocks: a peer, or ours."""

    name: str
    bootstrap: str
    topic: str

    async def now(self) -> datetime:
        """Ask PostgreSQL for the time."""

    async def prepare(self, batch: Batch) -> None:
        """Plant clocks that stay open, while nothing works."""

    def working(self) -> AbstractAsyncContextManager[None]:
        """Let it work for a while, and leave none of what it did not get done."""

    async def plant(self, batch: Batch) -> None:
        """Plant clocks that fall due, while it works."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch.

    ``lags_ms`` are from due to received, of those that came; ``early`` counts what was written
    before it was due, ``doubled`` events beyond the first of their clock, ``repeated`` records of
    an event that had come (readers drop them by its id), ``missing`` clocks without any.
    ``out_s`` lasted from the first due time until the last was received.
    """

    lags_ms: Sequence[float]
    early: int
    doubled: int
    repeated: int
    missing: int
    out_s: float


@dataclass(frozen=True, slots=True)
class Sown:
    """A batch that is about to fall due, and who listens for it."""

    batch: Batch
    keys: frozenset[bytes]
    """Made before the first is due: a hundred thousand take a moment."""
    ear: Ear


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a batch; ``ahead_s`` is the wall clock less the one that times hearing."""

    batch: Batch
    arrivals: Mapping[bytes, Arrival]
    ahead_s: float


def steady(now: datetime, *, rate_hz: float, count: int) -> Batch:
    """Let clocks fall due at a steady rate, soon."""
    return Batch(uuid4().hex, count, now + _lead(count), timedelta(seconds=1 / rate_hz))


def at_once(now: datetime, *, count: int) -> Batch:
    """Let clocks fall due at one instant, soon."""
    return Batch(uuid4().hex, count, now + _lead(count))


@asynccontextmanager
async def sown(subject: Subject, make: Callable[[datetime], Batch]) -> AsyncIterator[Sown]:
    """Plant a batch in time and listen. Raises CommandError when the first was due too soon."""
    async with listening(subject.bootstrap, subject.topic) as ear:
        batch = make(await subject.now())
        await subject.plant(batch)
        keys = frozenset(batch.keys)
        if await subject.now() >= batch.first:
            raise CommandError(
                f"{subject.name}: the first clock fell due while others were planted"
            )
        yield Sown(batch, keys, ear)


async def beside(subject: Subject, other: Sown, *, rate_hz: float, seconds: float) -> Sown:
    """Plant clocks that fall due at a steady rate from when another batch does; same listener."""
    step = timedelta(seconds=1 / rate_hz)
    batch = Batch(uuid4().hex, round(rate_hz * seconds), other.batch.first, step)
    await subject.plant(batch)
    return Sown(batch, frozenset(batch.keys), other.ear)


async def heard(subject: Subject, sown: Sown) -> Heard:
    """Wait until all have come, or no more will."""
    batch = sown.batch
    await pause((batch.first - await subject.now()).total_seconds())
    within_s = (batch.last - batch.first).total_seconds() + _LATE_S
    arrivals = await sown.ear.hear(sown.keys, silent_s=_SILENT_S, within_s=within_s)
    await pause(_DOUBLES_S)
    return Heard(batch, arrivals, await wall_ahead_s(subject.now))


async def trial(subject: Subject, make: Callable[[datetime], Batch]) -> Outcome:
    """Plant, hear, compare."""
    async with sown(subject, make) as waiting:
        return outcome(await heard(subject, waiting))


def outcome(found: Heard) -> Outcome:
    """Compare what was due with what came."""
    batch, arrivals = found.batch, found.arrivals
    due_s = zip(batch.keys, (at.timestamp() for at in batch.due_at), strict=True)
    came = [(arrivals[key], at_s) for key, at_s in due_s if key in arrivals]
    heard_s = [arrival.heard_s + found.ahead_s for arrival, _ in came]
    first_s = batch.first.timestamp()
    return Outcome(
        lags_ms=[(at - due) * 1000 for at, (_, due) in zip(heard_s, came, strict=True)],
        early=sum(arrival.written_s + CLOCK_TICK_S <= at_s for arrival, at_s in came),
        doubled=sum(arrival.doubles for arrival, _ in came),
        repeated=sum(arrival.repeats for arrival, _ in came),
        missing=batch.count - len(came),
        out_s=max(heard_s, default=first_s) - first_s,
    )


def after(found: Heard, moment: datetime) -> float | None:
    """Say how late, in ms, the next one due after a moment was; None if it never came."""
    batch = found.batch
    next_key = next(
        (pair for pair in zip(batch.keys, batch.due_at, strict=True) if pair[1] >= moment), None
    )
    if next_key is None or next_key[0] not in found.arrivals:
        return None
    key, due_at = next_key
    return (found.arrivals[key].heard_s + found.ahead_s - due_at.timestamp()) * 1000


def _lead(count: int) -> timedelta:
    return _LEAD + timedelta(seconds=count / _PLANTED_HZ)
