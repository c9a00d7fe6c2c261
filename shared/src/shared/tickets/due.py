"""When a ticket's promises are due: as accepted, until sla-monitor's records say otherwise.

sla-monitor alone computes due times. Its records of one clock are written in order, under the
ticket's lock, to one partition, and each is handled once: so the record read last counts. Their
event times are no order, because a fact that comes late dates its record back.
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
"""``later``: promised, and started by what is still to come, as by a reply of the customer."""

DUE_TIME_CHANGES: Final = (ClockStarted, ClockPaused, ClockResumed, ClockRepriced, ClockCancelled)
"""The records after which something else may be due. That a promise is met shows in the facts."""


_AS_ACCEPTED: Final = b'"as_accepted":true'
"""As sla-monitor writes it; in no text, for a quotation mark in one is escaped."""


class ClockView(NamedTuple):
    """A clock as its readers know it. ``due_at`` is None while nothing is due."""

    kind: PromiseKind
    promise_class: PromiseClass
    started_at: datetime | None
    due_at: datetime | None
    target_s: int | None
    state: ClockState = "running"


CLOCKS_ADAPTER: Final[TypeAdapter[dict[str, ClockView]]] = TypeAdapter(dict[str, ClockView])
"""How the clocks of a ticket are written down, by what tells them apart."""


def skip_redundant_start(record: Record) -> Skipped | None:
    """Skip the start of a clock that says what the accepted fact said; None for any other record.

    It is known by its bytes: there are more of these than of all others together.
    """
    if record.topic == ClockFact.topic and _AS_ACCEPTED in (record.value or b""):
        return Skipped(ClockStarted.type, is_known=True)
    return None


def changes_due_time(event: Event) -> bool:
    """Tell whether a record says of a due time what the accepted fact does not."""
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
    """Bring a clock to what its next record, of an event at ``at``, says."""
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
    """Find the clock that is due first; where none is due, one that is paused."""
    going = [clock for clock in clocks if clock.state in ("running", "paused")]
    due = [(clock.due_at, clock) for clock in going if clock.due_at is not None]
    if due:
        return min(due)[1]
    return next((clock for clock in going if clock.state == "paused"), None)
