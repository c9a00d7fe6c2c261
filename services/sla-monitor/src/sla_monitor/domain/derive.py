"""Derives the clocks of a ticket from the set of its facts, ignoring what was announced before."""

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
from sla_monitor.domain.ticket_facts import Demand, DemandKind, TicketFacts, read, union

__all__ = ["ExceptionOf", "derive", "no_exception", "pauses_of"]

type ExceptionOf = Callable[[TicketAccepted, datetime], str | None]
"""Returns the name of the declared exception that covers a ticket, by its create date; or None."""

_KINDS: Final[Mapping[DemandKind, frozenset[PromiseKind]]] = {
    "first": frozenset({"first_response", "callback", "join"}),
    "next": frozenset({"next_response"}),
    "solution": frozenset({"resolution"}),
}
_WHY: Final[Mapping[type[Event], Cancellation]] = {TicketMerged: "merged", TicketErased: "erased"}


class _Settlement(NamedTuple):
    """The state of a clock; if settled, also when, and if cancelled, why."""

    state: State
    at: datetime | None = None
    why: Cancellation | None = None


def no_exception(_: TicketAccepted, __: datetime) -> None:
    """Return None: no exception is declared."""


def derive(facts: Iterable[Fact], exception_of: ExceptionOf = no_exception) -> list[Clock]:
    """Return the clock of each promise; no clocks before the request was accepted."""
    ticket = read(facts)
    if ticket is None:
        return []
    return [
        _clock(ticket, promise, exception_of, demand, severity)
        for demand in ticket.demands
        for severity in [ticket.severity_before(ticket.end_of(demand))]
        for promise in ticket.accepted.promised(severity, ticket.opened.time)
        if promise.kind in _KINDS[demand.asks]
    ]


def pauses_of(
    ticket: TicketFacts, promise: Promise, *, before: datetime | None = None
) -> list[Pause]:
    """Return when a promise's clock is paused; with ``before``, only spans that began earlier."""
    waits = (wait.span for wait in ticket.waits if wait.waits_for in promise.pause_on)
    gaps = ticket.solutions if promise.kind == "resolution" else ticket.closures
    return union(pause for pause in [*waits, *gaps] if before is None or pause.since < before)


def _clock(
    ticket: TicketFacts,
    promise: Promise,
    exception_of: ExceptionOf,
    demand: Demand,
    severity: Severity,
) -> Clock:
    """Build the clock of a promise, at its severity when settled; if open, at the current one."""
    pauses = pauses_of(ticket, promise)
    settled = _settlement(ticket, pauses, demand)
    if settled.at is not None:
        pauses = pauses_of(ticket, promise, before=settled.at)
    calendar, warnings = promise.bound_calendar(), promise.warnings_used_s

    def used_up(used_s: int) -> datetime | None:
        return due_after_pauses(calendar, demand.at, timedelta(seconds=used_s), pauses)

    accepted = ticket.accepted
    promise_class, exception = _class_of(ticket, promise, exception_of)
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
        phases=phases_of(ticket, demand.at, settled.at, pauses),
        recurs=demand.recurs,
    )


def _class_of(
    ticket: TicketFacts, promise: Promise, exception_of: ExceptionOf
) -> tuple[PromiseClass, str | None]:
    """Return class and exception: a guarantee in a declared exception becomes an objective."""
    if promise.promise_class == "objective" and promise.exception is None:
        return "objective", None
    name = exception_of(ticket.accepted, ticket.opened.time) or promise.exception
    return ("guarantee", None) if name is None else ("objective", name)


def _settlement(ticket: TicketFacts, pauses: Sequence[Pause], demand: Demand) -> _Settlement:
    end = ticket.end_of(demand)
    if end is None:
        paused = bool(pauses) and pauses[-1].until is None
        return _Settlement("paused" if paused else "running")
    if demand.answer is not None:
        return _Settlement("met", end.time)
    return _Settlement("cancelled", end.time, _WHY.get(type(end.event), "closed"))
