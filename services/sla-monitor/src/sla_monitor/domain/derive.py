"""What the facts come to, as if nothing had been announced: a pure function of their set."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from shared.events import Cancellation, Event, TicketAccepted, TicketErased, TicketMerged
from shared.sla.promises import (
    Pause,
    Promise,
    PromiseClass,
    PromiseKind,
    Severity,
    due_after_pauses,
)
from sla_monitor.domain.breakdown import phases_of
from sla_monitor.domain.clock import Clock, Fact, State
from sla_monitor.domain.ticket_facts import Asks, Demand, Story, read, union

__all__ = ["ExceptionOf", "derive", "no_exception", "pauses_of"]

type ExceptionOf = Callable[[TicketAccepted, datetime], str | None]
"""Names the declared exception that covers a ticket created then, if one does."""

_KINDS: Final[Mapping[Asks, frozenset[PromiseKind]]] = {
    "first": frozenset({"first_response", "callback", "join"}),
    "next": frozenset({"next_response"}),
    "solution": frozenset({"resolution"}),
}
_WHY: Final[Mapping[type[Event], Cancellation]] = {TicketMerged: "merged", TicketErased: "erased"}


class _Settlement(NamedTuple):
    """How a clock stands, and since when and why if it is settled."""

    state: State
    at: datetime | None = None
    why: Cancellation | None = None


def no_exception(_: TicketAccepted, __: datetime) -> None:
    """Nothing is declared."""


def derive(facts: Iterable[Fact], exception_of: ExceptionOf = no_exception) -> list[Clock]:
    """Say what each promise comes to; no clock before acceptance."""
    story = read(facts)
    if story is None:
        return []
    return [
        _clock(story, promise, exception_of, demand, severity)
        for demand in story.demands
        for severity in [story.severity_before(story.end_of(demand))]
        for promise in story.accepted.promised(severity, story.opened.time)
        if promise.kind in _KINDS[demand.asks]
    ]


def pauses_of(story: Story, promise: Promise, *, before: datetime | None = None) -> list[Pause]:
    """List the spans in which a promise's time does not count, those begun ``before`` then."""
    waits = (wait.span for wait in story.waits if wait.waits_for in promise.pause_on)
    gaps = story.solutions if promise.kind == "resolution" else story.closures
    return union(pause for pause in [*waits, *gaps] if before is None or pause.since < before)


def _clock(
    story: Story, promise: Promise, exception_of: ExceptionOf, demand: Demand, severity: Severity
) -> Clock:
    """Time a promise, as it was made at the severity before it was settled, or as it is now."""
    pauses = pauses_of(story, promise)
    settled = _settlement(story, pauses, demand)
    if settled.at is not None:
        pauses = pauses_of(story, promise, before=settled.at)
    calendar, warnings = promise.bound_calendar(), promise.warnings_used_s

    def used_up(used_s: int) -> datetime | None:
        return due_after_pauses(calendar, demand.at, timedelta(seconds=used_s), pauses)

    accepted = story.accepted
    promise_class, exception = _class_of(story, promise, exception_of)
    return Clock(
        ticket_id=accepted.ticket_id,
        kind=promise.kind,
        started_by=demand.by,
        promise_class=promise_class,
        exception=exception,
        account_id=accepted.account_id,
        channel=accepted.channel,
        severity=severity,
        target_s=promise.target_s,
        started_at=demand.at,
        due_at=used_up(promise.target_s),
        warn_used_s=warnings,
        warn_at=tuple(map(used_up, warnings)),
        state=settled.state,
        settled_at=settled.at,
        cancelled_for=settled.why,
        phases=phases_of(story, demand.at, settled.at, pauses),
        recurs=demand.recurs,
    )


def _class_of(
    story: Story, promise: Promise, exception_of: ExceptionOf
) -> tuple[PromiseClass, str | None]:
    """Inside a declared exception a guarantee is an objective (DOMAIN, "Response times")."""
    if promise.promise_class == "objective" and promise.exception is None:
        return "objective", None
    name = exception_of(story.accepted, story.opened.time) or promise.exception
    return ("guarantee", None) if name is None else ("objective", name)


def _settlement(story: Story, pauses: Sequence[Pause], demand: Demand) -> _Settlement:
    end = story.end_of(demand)
    if end is None:
        paused = bool(pauses) and pauses[-1].until is None
        return _Settlement("paused" if paused else "running")
    if demand.answer is not None:
        return _Settlement("met", end.time)
    return _Settlement("cancelled", end.time, _WHY.get(type(end.event), "closed"))
