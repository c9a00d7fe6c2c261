"""The due times of a ticket, for services other than sla-monitor, which alone computes them.

They start as in the accepted event and change with sla-monitor's clock events. The events of one
clock are written in order, under the ticket's lock, to one partition, and each is handled once: the
last event read applies. Do not order them by event time: after a late fact it lies in the past.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal, NamedTuple

from pydantic import TypeAdapter

from shared.events import (
    ClockCancelled,
    ClockFact,
    ClockMet,
    ClockPaused,
    ClockRepriced,
    ClockResumed,
    ClockStarted,
    Event,
    TicketAccepted,
)
from shared.events.codec import Record, Skipped
from shared.sla.promises import PromiseClass, PromiseKind

__all__ = [
    "CLOCKS_ADAPTER",
    "DUE_TIME_CHANGES",
    "ClockState",
    "ClockView",
    "changes_due_time",
    "clocks_as_accepted",
    "earliest_due",
    "skip_redundant_start",
    "update_clock",
]

type ClockState = Literal["later", "running", "paused", "over"]
"""``later``: promised, but started only by a later event, such as a reply of the customer."""

DUE_TIME_CHANGES: Final = (ClockStarted, ClockPaused, ClockResumed, ClockRepriced, ClockCancelled)
"""The events that can change a due time. `ClockMet` is not needed: the response event shows it."""


_AS_ACCEPTED: Final = b'"as_accepted":true'
"""As sla-monitor writes it. No text field can contain it, because JSON escapes quotation marks."""


class ClockView(NamedTuple):
    """A clock as its events describe it. ``due_at`` is None while nothing is due."""

    kind: PromiseKind
    promise_class: PromiseClass
    started_at: datetime | None
    due_at: datetime | None
    target_s: int | None
    state: ClockState = "running"


CLOCKS_ADAPTER: Final[TypeAdapter[dict[str, ClockView]]] = TypeAdapter(dict[str, ClockView])
"""Serialises the clocks of a ticket, by promise kind or recurring cycle."""


def skip_redundant_start(record: Record) -> Skipped | None:
    """Return `Skipped` for the start of a clock with the due time of the accepted event, else None.

    This searches the raw bytes: most clock events are such starts, and decoding them costs time.
    """
    if record.topic == ClockFact.topic and _AS_ACCEPTED in (record.value or b""):
        return Skipped(ClockStarted.type, is_known=True)
    return None


def changes_due_time(event: Event) -> bool:
    """Return whether an event can give a ticket another due time than its accepted event did."""
    if isinstance(event, ClockStarted):
        return not event.as_accepted
    return isinstance(event, DUE_TIME_CHANGES)


def clocks_as_accepted(event: TicketAccepted, create_date: datetime) -> dict[str, ClockView]:
    """Build the clocks that start with a ticket from its accepted event, by promise kind."""
    clocks = (
        ClockView(p.kind, p.promise_class, create_date, p.due_at, p.target_s)
        if p.due_at is not None
        else ClockView(p.kind, p.promise_class, None, None, p.target_s, "later")
        for p in event.promises
    )
    return {clock.kind: clock for clock in clocks}


def update_clock(known: ClockView | None, event: ClockFact, at: datetime) -> ClockView:
    """Apply a clock's next event, which occurred at ``at``; ``known`` is None for a new clock."""
    clock = known or ClockView(event.kind, event.promise_class, None, None, None)
    clock = clock._replace(promise_class=event.promise_class)
    match event:
        case ClockStarted():
            return clock._replace(started_at=at, due_at=event.due_at, state="running")
        case ClockPaused():
            return clock._replace(due_at=None, state="paused")
        case ClockResumed():
            return clock._replace(due_at=event.due_at, state="running")
        case ClockRepriced():
            return clock._replace(due_at=event.due_at, target_s=event.target_s)
        case ClockCancelled() | ClockMet():
            return clock._replace(due_at=None, state="over")
        case _:
            return clock


def earliest_due(clocks: Iterable[ClockView]) -> ClockView | None:
    """Return the clock that is due first; if none is due, a paused one; else None."""
    going = [clock for clock in clocks if clock.state in ("running", "paused")]
    due = [(clock.due_at, clock) for clock in going if clock.due_at is not None]
    if due:
        return min(due)[1]
    return next((clock for clock in going if clock.state == "paused"), None)
