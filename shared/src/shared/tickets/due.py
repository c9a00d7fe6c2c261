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
    "CLOCKS",
    "MOVES_DUE",
    "ClockState",
    "Timed",
    "as_accepted",
    "due_first",
    "follow",
    "moves_due",
    "skipped_unread",
]

type ClockState = Literal["later", "running", "paused", "over"]
"""``later``: promised, and started by what is still to come, as by a reply of the customer."""

MOVES_DUE: Final = (ClockStarted, ClockPaused, ClockResumed, ClockRepriced, ClockCancelled)
"""The records after which something else may be due. That a promise is met shows in the facts."""


_AS_ACCEPTED: Final = b'"as_accepted":true'
"""As sla-monitor writes it; in no text, for a quotation mark in one is escaped."""


class Timed(NamedTuple):
    """A clock as its readers know it. ``due_at`` is None while nothing is due."""

    kind: PromiseKind
    promise_class: PromiseClass
    started_at: datetime | None
    due_at: datetime | None
    target_s: int | None
    state: ClockState = "running"


CLOCKS: Final[TypeAdapter[dict[str, Timed]]] = TypeAdapter(dict[str, Timed])
"""How the clocks of a ticket are written down, by what tells them apart."""


def skipped_unread(record: Record) -> Skipped | None:
    """Skip the start of a clock that says what the accepted fact said; None for any other record.

    It is known by its bytes: there are more of these than of all others together.
    """
    if record.topic == ClockFact.topic and _AS_ACCEPTED in (record.value or b""):
        return Skipped(ClockStarted.type, is_known=True)
    return None


def moves_due(event: Event) -> bool:
    """Tell whether a record says of a due time what the accepted fact does not."""
    if isinstance(event, ClockStarted):
        return not event.as_accepted
    return isinstance(event, MOVES_DUE)


def as_accepted(event: TicketAccepted, create_date: datetime) -> dict[str, Timed]:
    """Read what is promised, by what `follow` knows the clocks by that start with the ticket."""
    clocks = (
        Timed(p.kind, p.promise_class, create_date, p.due_at, p.target_s)
        if p.due_at is not None
        else Timed(p.kind, p.promise_class, None, None, p.target_s, "later")
        for p in event.promises
    )
    return {clock.kind: clock for clock in clocks}


def follow(known: Timed | None, event: ClockFact, at: datetime) -> Timed:
    """Bring a clock to what its next record, of an event at ``at``, says."""
    clock = known or Timed(event.kind, event.promise_class, None, None, None)
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


def due_first(clocks: Iterable[Timed]) -> Timed | None:
    """Find the clock that is due first; where none is due, one that is paused."""
    going = [clock for clock in clocks if clock.state in ("running", "paused")]
    due = [(clock.due_at, clock) for clock in going if clock.due_at is not None]
    if due:
        return min(due)[1]
    return next((clock for clock in going if clock.state == "paused"), None)
