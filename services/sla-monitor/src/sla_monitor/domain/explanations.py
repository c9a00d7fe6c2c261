"""States the rule by which a fact changed a ticket's clocks, or why it did not.

What happened is a sentence of `shared.wording`; the rule adds to it.
"""

from typing import Final

from shared.events import (
    AssignmentResponded,
    CallbackJoined,
    CallbackSettled,
    CustomerReached,
    CustomerReplied,
    Event,
    SeverityReclassified,
    TicketAbsorbed,
    TicketAccepted,
    TicketClosed,
    TicketErased,
    TicketMerged,
    TicketNoted,
    TicketReclassified,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
)
from sla_monitor.domain.change import Started
from sla_monitor.domain.timeline import FactApplied

__all__ = ["why"]

_ANSWERED: Final = (
    "an answer settles every promise of a response",
    "no promise was waiting for an answer",
)
_PRICED: Final = (
    "what is open is priced again, from the same create date",
    "nothing that is open is promised otherwise",
)
_WHY: Final[dict[type[Event], tuple[str, str]]] = {
    TicketAccepted: (
        "promises run from the create date",
        "no promise is timed from here",
    ),
    TicketResponded: _ANSWERED,
    AssignmentResponded: _ANSWERED,
    CustomerReached: _ANSWERED,
    CallbackSettled: (
        "the call answers every ticket that waited for it",
        "no promise was waiting for a call",
    ),
    TicketResolved: (
        "a solution settles the resolution, and answers the customer as well",
        "no promise was waiting for a solution",
    ),
    CustomerReplied: (
        "the reply reopens the ticket: the due time moves by the time that did not count",
        "no answer is owed for it beyond what is owed already",
    ),
    TicketWaiting: (
        "time does not count during the wait",
        "no open promise pauses for this wait",
    ),
    TicketResumed: (
        "the due time moves by the calendar time that the wait lasted",
        "no clock was paused",
    ),
    TicketReclassified: _PRICED,
    SeverityReclassified: _PRICED,
    TicketClosed: (
        "what is unanswered is not owed any more, unless it is reopened",
        "nothing was left to answer",
    ),
    TicketReopened: (
        "what is unanswered is owed again, without the time it was over",
        "nothing was left to answer",
    ),
    TicketMerged: (
        "from here on all is owed on ticket {into}",
        "nothing was left to answer, and ticket {into} takes over",
    ),
    TicketAbsorbed: (
        "what the customer of ticket {absorbed} was promised is owed here",
        "ticket {absorbed} asks for nothing more",
    ),
    TicketErased: (
        "nothing is owed any more",
        "nothing was left to answer",
    ),
}
"""The rule if a clock changed, and if none did."""
_ASKS_AGAIN: Final = "the customer wrote after an answer: that asks for another"
_MOVES_NONE: Final[dict[type[Event], str]] = {
    TicketNoted: "a note is no answer",
    CallbackJoined: "clocks run on until the call of ticket {joined}",
}
_NO_CHANGE: Final = "no clock changes"


def why(entry: FactApplied) -> str:
    """Return as a sentence the rule by which a fact changed clocks, or why it changed none."""
    event, kind = entry.fact.event, type(entry.fact.event)
    if kind in _WHY:
        changed, unchanged = _WHY[kind]
        text = changed if entry.changes else unchanged
    else:
        text = _MOVES_NONE.get(kind, _NO_CHANGE)
    if kind is CustomerReplied and any(isinstance(c, Started) for c in entry.changes):
        text = _ASKS_AGAIN
    return text.format_map(event.model_dump())
