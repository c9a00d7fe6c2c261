"""How each clock stands: what was promised, what is used up, what is left, and why it is so."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.events import Breakdown
from shared.sla.calendars import Span
from shared.sla.promises import Cause, Pause, Promise, warn_at
from sla_monitor.domain.breakdown import breakdown
from sla_monitor.domain.clock import Clock, Key
from sla_monitor.domain.counted_time import counted, counted_time
from sla_monitor.domain.derive import pauses_of
from sla_monitor.domain.ticket_facts import Story, union

__all__ = ["PauseCause", "PausedSpan", "Reckoning", "Standing", "WarningPoint", "standings"]

type PauseCause = Cause | Literal["closed", "resolved"]
"""Whom the ticket waited for, or that it was over until it was reopened."""


class PausedSpan(BaseModel):
    """A span in which no time counted, and why. `until` is null while it lasts."""

    model_config = ConfigDict(frozen=True)

    since: datetime
    until: datetime | None
    cause: PauseCause


class WarningPoint(BaseModel):
    """A warning. `announced` also holds for one that a later one overtook."""

    model_config = ConfigDict(frozen=True)

    point: str = Field(examples=["80%", "15 min left"])
    at: datetime | None = Field(description="Null while the clock is paused before it.")
    announced: bool


@dataclass(frozen=True, slots=True)
class Reckoning:
    """The sum as of the judgement. ``used`` and ``left`` are calendar time without the pauses.

    ``left`` is negative when more was used than was promised. ``left_wall`` is None while
    nothing is due. ``spans`` reach up to the due time; while nothing is due, up to the pause.
    """

    used: timedelta
    left: timedelta
    left_wall: timedelta | None
    pauses: tuple[PausedSpan, ...]
    paused: timedelta
    """Wall time, each instant once, though two causes may overlap."""
    spans: tuple[Span, ...]
    warnings: tuple[WarningPoint, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """A clock as of ``as_of``: the moment it was settled, else now.

    ``promise`` and ``reckoning`` are None for a clock of a promise that nobody knows any more.
    """

    clock: Clock
    as_of: datetime
    promise: Promise | None
    reckoning: Reckoning | None
    breakdown: Breakdown


def standings(story: Story, clocks: Mapping[Key, Clock], *, now: datetime) -> list[Standing]:
    """Say how clocks stand, in the order in which they started."""
    ordered = sorted(clocks.values(), key=lambda clock: (clock.started_at, clock.kind))
    return [_standing(story, clock, now) for clock in ordered]


def _standing(story: Story, clock: Clock, now: datetime) -> Standing:
    as_of = max(clock.settled_at or now, clock.started_at)
    promise = _promise_of(story, clock)
    return Standing(
        clock=clock,
        as_of=as_of,
        promise=promise,
        reckoning=None if promise is None else _reckoning(story, clock, promise, as_of),
        breakdown=breakdown(clock, as_of),
    )


def _promise_of(story: Story, clock: Clock) -> Promise | None:
    """Find the promise that is timed; at the severity that the clock was priced by."""
    owed = story.accepted.promised(clock.severity, story.opened.time)
    return next((promise for promise in owed if promise.kind == clock.kind), None)


def _reckoning(story: Story, clock: Clock, promise: Promise, as_of: datetime) -> Reckoning:
    calendar = promise.bound_calendar()
    spans = list(_cut(_causes(story, promise), clock.started_at, clock.settled_at))
    pauses = _seen(pauses_of(story, promise), clock.settled_at)
    used = counted_time(calendar, clock.started_at, as_of, pauses)
    stands_at = clock.due_at or as_of
    return Reckoning(
        used=used,
        left=timedelta(seconds=clock.target_s) - used,
        left_wall=None if clock.due_at is None else clock.due_at - as_of,
        pauses=tuple(spans),
        paused=_length(spans, as_of),
        spans=counted(calendar, clock.started_at, stands_at, pauses),
        warnings=tuple(_warnings(clock, promise)),
    )


def _causes(story: Story, promise: Promise) -> Iterator[PausedSpan]:
    for wait in story.waits:
        if wait.waits_for in promise.pause_on:
            yield PausedSpan(since=wait.span.since, until=wait.span.until, cause=wait.waits_for)
    is_resolution = promise.kind == "resolution"
    cause: PauseCause = "resolved" if is_resolution else "closed"
    for gap in story.solutions if is_resolution else story.closures:
        yield PausedSpan(since=gap.since, until=gap.until, cause=cause)


def _seen(pauses: Iterable[Pause], settled_at: datetime | None) -> Sequence[Pause]:
    """Leave out the pauses that began when nothing was timed any more."""
    return [p for p in pauses if settled_at is None or p.since < settled_at]


def _cut(
    spans: Iterable[PausedSpan], started_at: datetime, settled_at: datetime | None
) -> Iterator[PausedSpan]:
    """Show of each pause what lies in the clock's life."""
    for span in sorted(spans, key=lambda span: span.since):
        ends = [at for at in (span.until, settled_at) if at is not None]
        since, until = max(span.since, started_at), min(ends, default=None)
        if until is None or since < until:
            yield PausedSpan(since=since, until=until, cause=span.cause)


def _length(spans: Iterable[PausedSpan], as_of: datetime) -> timedelta:
    merged = union(Pause(span.since, span.until) for span in spans if span.since < as_of)
    lengths = (min(pause.until or as_of, as_of) - pause.since for pause in merged)
    return sum(lengths, timedelta(0))


def _warnings(clock: Clock, promise: Promise) -> Iterator[WarningPoint]:
    """Match points and instants: both are in order of what is used up."""
    points = sorted(promise.warnings, key=lambda point: warn_at(point, promise.target))
    for point, used_s, at in zip(points, clock.warn_used_s, clock.warn_at, strict=False):
        yield WarningPoint(point=point, at=at, announced=used_s <= clock.warned_s)
