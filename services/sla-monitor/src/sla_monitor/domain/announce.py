"""The announcements about a clock: changes by facts, warnings and breaches.

`update_clock` compares a clock with its newly derived state and announces what changed.
`announce_due` announces a warning or the breach when it is due, never earlier. A breach that a late
fact disproves is retracted.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from shared.events import (
    ClockCancelled,
    ClockFact,
    ClockMet,
    ClockPaused,
    ClockRepriced,
    ClockResumed,
    ClockStarted,
    ClockWarned,
    Envelope,
    PromiseBreached,
    PromiseMissed,
    PromiseRetracted,
    Retraction,
)
from sla_monitor.domain.breakdown import breakdown
from sla_monitor.domain.clock import Cause, Clock

__all__ = ["SOURCE", "Announced", "ClockUpdate", "announce_due", "update_clock", "withdraw"]

SOURCE: Final = "sla-monitor"

type Announced = Envelope[ClockFact]


class ClockUpdate(NamedTuple):
    """A clock after a change, and the events to announce.

    ``skipped`` counts warnings left out because a later warning or the breach was due as well.
    """

    clock: Clock
    announced: list[Announced]
    skipped: int = 0


def update_clock(old: Clock | None, derived: Clock, cause: Cause, *, now: datetime) -> ClockUpdate:
    """Replace a clock by its derived state; announce what ``cause`` changed, and what is due."""
    clock, changes = _changed(old, derived, cause)
    clock, taken_back = _reconsider(clock, now, cause)
    was_due = old is not None and old.broken is None and old.is_late(now)
    expected = was_due and old is not None and old.due_at == clock.due_at
    due = announce_due(
        clock, now=now, late=None if expected else cause.id, traceparent=cause.traceparent
    )
    return ClockUpdate(due.clock, [*changes, *taken_back, *due.announced], due.skipped)


def withdraw(old: Clock, cause: Cause) -> ClockUpdate:
    """Cancel a clock that should never have started, as the fact ``cause`` has shown."""
    over = old._replace(
        state="cancelled",
        settled_at=old.settled_at or cause.time,
        cancelled_for="withdrawn",
        due_at=None,
    )
    gone, taken_back = _retract(over, "cancelled", cause) if old.broken else (over, [])
    if old.state == "cancelled":
        return ClockUpdate(gone, taken_back)
    event = ClockCancelled.model_validate({**_whose(old), "reason": "withdrawn"})
    return ClockUpdate(gone, [_because(cause, event, cause.time), *taken_back])


def announce_due(
    clock: Clock,
    *,
    now: datetime,
    late: UUID | None = None,
    watermark: datetime | None = None,
    traceparent: str | None = None,
) -> ClockUpdate:
    """Announce the breach if it is due by ``now``, else the latest warning that is due.

    Earlier warnings are skipped. A breach is marked late in two cases. If a fact revealed it only
    after its due time, it names that fact (``late``). If its due time is not after the published
    ``watermark``, it names the fact that started the clock.
    """
    passed = [used_s for used_s, at in clock.warnings_left() if at <= now]
    if clock.broken is None and clock.is_late(now):
        if late is None and watermark is not None and _due(clock) <= watermark:
            late = clock.started_by
        broken, announced = _break(clock, now, late, traceparent)
        return ClockUpdate(broken, [announced], len(passed))
    if not passed:
        return ClockUpdate(clock, [])
    used_s = max(passed)
    at = clock.warn_at[clock.warn_used_s.index(used_s)]
    assert at is not None  # noqa: S101 - warnings_left() gave it
    event = ClockWarned.model_validate(
        {
            **_whose(clock),
            "percent": round(100 * used_s / clock.target_s),
            "due_at": _due(clock),
            "lateness_ms": _ms(now - at),
            "breakdown": breakdown(clock, at),
        }
    )
    warning = _by_timer(clock, event, at, traceparent)
    return ClockUpdate(clock._replace(warned_s=used_s), [warning], len(passed) - 1)


def _changed(old: Clock | None, derived: Clock, cause: Cause) -> tuple[Clock, list[Announced]]:
    if old is None:
        started = derived._replace(state="running", settled_at=None, cancelled_for=None)
        event = ClockStarted.model_validate({**_whose(started), "due_at": started.due_at})
        clock, events = _changed(started, derived, cause)
        return clock, [_because(cause, event, started.started_at), *events]
    repriced = derived.target_s != old.target_s
    clock = derived._replace(
        warned_s=0 if repriced else old.warned_s,
        broken=old.broken,
        broken_id=old.broken_id,
        retractions=old.retractions + repriced,
    )
    return clock, [_because(cause, event, time) for event, time in _changes(old, derived, cause)]


def _changes(old: Clock, new: Clock, cause: Cause) -> Iterable[tuple[ClockFact, datetime]]:
    """Yield the events that announce how two states of a clock differ, each with its time."""
    whose = _whose(new)
    if _terms(old) != _terms(new):
        priced = {**whose, "target_s": new.target_s, "due_at": new.due_at}
        yield ClockRepriced.model_validate(priced), cause.time
    match old.state, new.state:
        case _, "met" if _settled(old) != _settled(new):
            assert new.settled_at is not None  # noqa: S101 - met is settled
            yield _met(new, new.settled_at), new.settled_at
        case _, "cancelled" if _settled(old) != _settled(new):
            cancelled = {**whose, "reason": new.cancelled_for}
            yield ClockCancelled.model_validate(cancelled), new.settled_at or cause.time
        case before, "paused" if before != "paused":
            yield ClockPaused.model_validate(whose), cause.time
        case before, "running" if before != "running" or _moved(old, new):
            yield ClockResumed.model_validate({**whose, "due_at": _due(new)}), cause.time
        case _:
            pass


def _met(clock: Clock, met_at: datetime) -> ClockMet:
    return ClockMet.model_validate(
        {
            **_whose(clock),
            "due_at": clock.due_at,
            "met_at": met_at,
            "in_time": clock.is_in_time,
            "breakdown": breakdown(clock, met_at),
        }
    )


def _terms(clock: Clock) -> tuple[object, ...]:
    """Return the terms of the promise."""
    return clock.severity, clock.target_s, clock.promise_class, clock.exception


def _settled(clock: Clock) -> tuple[object, ...]:
    """Return how and when a clock ended; if a late fact changes it, that is announced again."""
    in_time = clock.is_in_time if clock.state == "met" else None
    return clock.state, clock.settled_at, clock.cancelled_for, in_time


def _moved(old: Clock, new: Clock) -> bool:
    """Return whether the due time changed but not the target, for example by a late pause."""
    return old.due_at != new.due_at and old.target_s == new.target_s


def _reconsider(clock: Clock, now: datetime, cause: Cause) -> tuple[Clock, list[Announced]]:
    """Retract a breach or miss that is disproved, or that now counts as the other of the two."""
    if clock.broken is None or (clock.is_late(now) and clock.broken == clock.breaks_as):
        return clock, []
    return _retract(clock, _why_not(clock, now), cause)


def _why_not(clock: Clock, now: datetime) -> Retraction:
    if clock.is_late(now):
        return "exception"
    match clock.state:
        case "met":
            return "answered"
        case "cancelled":
            return "cancelled"
        case "paused":
            return "paused"
        case "running":
            return "moved"


def _retract(clock: Clock, reason: Retraction, cause: Cause) -> tuple[Clock, list[Announced]]:
    assert clock.broken_id is not None  # noqa: S101 - set with broken
    event = PromiseRetracted.model_validate(
        {
            **_whose(clock),
            "retracted": clock.broken,
            "retracted_id": clock.broken_id,
            "reason": reason,
            "fact_id": cause.id,
        }
    )
    time = clock.settled_at or cause.time
    announced: Announced = Envelope.caused_by(
        clock.broken_id, event, source=SOURCE, time=time, traceparent=cause.traceparent
    )
    kept = clock._replace(broken=None, broken_id=None, retractions=clock.retractions + 1)
    return kept, [announced]


def _break(
    clock: Clock, now: datetime, late: UUID | None, traceparent: str | None
) -> tuple[Clock, Announced]:
    due_at = _due(clock)
    fields = {
        **_whose(clock),
        "due_at": due_at,
        "lateness_ms": _ms(now - due_at),
        "breakdown": breakdown(clock, due_at),
        **({} if late is None else {"late": True, "fact_id": late}),
    }
    event_type = PromiseBreached if clock.breaks_as == "breached" else PromiseMissed
    announced = _by_timer(clock, event_type.model_validate(fields), due_at, traceparent)
    return clock._replace(broken=clock.breaks_as, broken_id=announced.id), announced


def _due(clock: Clock) -> datetime:
    assert clock.due_at is not None  # noqa: S101 - only called for clocks with a due time
    return clock.due_at


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def _whose(clock: Clock) -> dict[str, object]:
    whose: dict[str, object] = {
        "ticket_id": clock.ticket_id,
        "kind": clock.kind,
        "promise_class": clock.promise_class,
        "account_id": clock.account_id,
        "channel": clock.channel,
        "severity": clock.severity,
    }
    if clock.recurs:
        whose["cycle"] = clock.started_by
    if clock.exception is not None:
        whose["exception"] = clock.exception
    return whose


def _because(cause: Cause, event: ClockFact, time: datetime) -> Announced:
    return Envelope.caused_by(
        cause.id, event, source=SOURCE, time=time, traceparent=cause.traceparent
    )


def _by_timer(clock: Clock, event: ClockFact, at: datetime, traceparent: str | None) -> Announced:
    """Make an event whose id is derived from the clock and the instant when the event was due.

    The fact that started the clock is part of the id, because an earlier request may arrive later
    and start another clock.
    """
    which = f"{event.type}/{event.discriminator}/{clock.started_by}"
    timer = uuid5(clock.ticket_id, f"{which}/{at.isoformat()}/{clock.retractions}")
    return Envelope(timer, SOURCE, at, event, traceparent)
