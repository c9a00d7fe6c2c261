"""The status of each clock: its promise, the time used and left, pauses, warnings, breakdown."""

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
from sla_monitor.domain.ticket_facts import TicketFacts, union

__all__ = ["ClockStatus", "PauseCause", "PausedSpan", "TimeUsage", "WarningPoint", "clock_statuses"]

type PauseCause = Cause | Literal["closed", "resolved"]
"""For whom the ticket waited, or that it was closed or resolved until it was reopened."""


class PausedSpan(BaseModel):
    """A span in which no time counted, and the cause. `until` is null while it lasts."""

    model_config = ConfigDict(frozen=True)

    since: datetime
    until: datetime | None
    cause: PauseCause


class WarningPoint(BaseModel):
    """A warning. `announced` is also true if it was left out because a later one was announced."""

    model_config = ConfigDict(frozen=True)

    point: str = Field(examples=["80%", "15 min left"])
    at: datetime | None = Field(description="Null while the clock is paused before it.")
    announced: bool


@dataclass(frozen=True, slots=True)
class TimeUsage:
    """The time used and left at ``as_of``, in calendar time without pauses.

    ``left`` is negative when more than the target was used. ``left_wall`` is the wall time to the
    due time, None while nothing is due. ``spans`` are those that count up to the due time or, while
    nothing is due, up to the pause.
    """

    used: timedelta
    left: timedelta
    left_wall: timedelta | None
    pauses: tuple[PausedSpan, ...]
    paused: timedelta
    """Wall time in pauses; overlapping pauses are counted once."""
    spans: tuple[Span, ...]
    warnings: tuple[WarningPoint, ...]


@dataclass(frozen=True, slots=True)
class ClockStatus:
    """A clock as of ``as_of``: the moment when it was settled, or now while it is open.

    ``promise`` and ``time_usage`` are None if later facts removed the promise.
    """

    clock: Clock
    as_of: datetime
    promise: Promise | None
    time_usage: TimeUsage | None
    breakdown: Breakdown


def clock_statuses(
    ticket: TicketFacts, clocks: Mapping[Key, Clock], *, now: datetime
) -> list[ClockStatus]:
    """Return the status of clocks, in the order in which they started."""
    ordered = sorted(clocks.values(), key=lambda clock: (clock.started_at, clock.kind))
    return [_clock_status(ticket, clock, now) for clock in ordered]


def _clock_status(ticket: TicketFacts, clock: Clock, now: datetime) -> ClockStatus:
    as_of = max(clock.settled_at or now, clock.started_at)
    promise = _promise_of(ticket, clock)
    return ClockStatus(
        clock=clock,
        as_of=as_of,
        promise=promise,
        time_usage=None if promise is None else _reckoning(ticket, clock, promise, as_of),
        breakdown=breakdown(clock, as_of),
    )


def _promise_of(ticket: TicketFacts, clock: Clock) -> Promise | None:
    """Return the clock's promise, at the clock's severity."""
    owed = ticket.accepted.promised(clock.severity, ticket.opened.time)
    return next((promise for promise in owed if promise.kind == clock.kind), None)


def _reckoning(ticket: TicketFacts, clock: Clock, promise: Promise, as_of: datetime) -> TimeUsage:
    calendar = promise.bound_calendar()
    spans = list(_cut(_causes(ticket, promise), clock.started_at, clock.settled_at))
    pauses = _seen(pauses_of(ticket, promise), clock.settled_at)
    used = counted_time(calendar, clock.started_at, as_of, pauses)
    ends_at = clock.due_at or as_of
    return TimeUsage(
        used=used,
        left=timedelta(seconds=clock.target_s) - used,
        left_wall=None if clock.due_at is None else clock.due_at - as_of,
        pauses=tuple(spans),
        paused=_length(spans, as_of),
        spans=counted(calendar, clock.started_at, ends_at, pauses),
        warnings=tuple(_warnings(clock, promise)),
    )


def _causes(ticket: TicketFacts, promise: Promise) -> Iterator[PausedSpan]:
    for wait in ticket.waits:
        if wait.waits_for in promise.pause_on:
            yield PausedSpan(since=wait.span.since, until=wait.span.until, cause=wait.waits_for)
    is_resolution = promise.kind == "resolution"
    cause: PauseCause = "resolved" if is_resolution else "closed"
    for gap in ticket.solutions if is_resolution else ticket.closures:
        yield PausedSpan(since=gap.since, until=gap.until, cause=cause)


def _seen(pauses: Iterable[Pause], settled_at: datetime | None) -> Sequence[Pause]:
    """Drop pauses that began after the clock was settled."""
    return [p for p in pauses if settled_at is None or p.since < settled_at]


def _cut(
    spans: Iterable[PausedSpan], started_at: datetime, settled_at: datetime | None
) -> Iterator[PausedSpan]:
    """Cut each pause to the time from the clock's start to its settlement; drop pauses outside."""
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
    """Pair warning points with their times; both are sorted by the time used."""
    points = sorted(promise.warnings, key=lambda point: warn_at(point, promise.target))
    for point, used_s, at in zip(points, clock.warn_used_s, clock.warn_at, strict=False):
        yield WarningPoint(point=point, at=at, announced=used_s <= clock.warned_s)
