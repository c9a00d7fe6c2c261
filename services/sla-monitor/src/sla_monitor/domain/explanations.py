"""Explains in a sentence why a fact changed a ticket's clocks, or why it did not."""

from typing import Final

from shared.events import (
    AssignmentHandedBack,
    AssignmentReleased,
    AssignmentResponded,
    CallbackAttempted,
    CallbackJoined,
    CallbackPlanned,
    CallbackReminded,
    CallbackSettled,
    Contact,
    CustomerReached,
    CustomerReplied,
    Event,
    NotificationFailed,
    NotificationSent,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    PromiseFeasible,
    PromiseInfeasible,
    SeverityConfirmed,
    SeverityReclassified,
    SpecialistSetAway,
    TicketAbsorbed,
    TicketAccepted,
    TicketAssigned,
    TicketClosed,
    TicketDeclined,
    TicketErased,
    TicketMerged,
    TicketNoted,
    TicketOffered,
    TicketQueued,
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
_NOTIFIED: Final = "{recipient} was notified: clocks run on until the answer"
_PRICED: Final = (
    "{severity}: what is open is priced again, from the same create date",
    "{severity}: nothing that is open is promised otherwise",
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
        "the customer was reached ({how}): that answers every ticket that waited for the call",
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
        "while it waits for {waiting_for}, time does not count",
        "it waits for {waiting_for}, but no open promise pauses for that",
    ),
    TicketResumed: (
        "the wait is over, the due time moves by the calendar time it lasted",
        "no clock was paused",
    ),
    TicketReclassified: _PRICED,
    SeverityReclassified: _PRICED,
    TicketClosed: (
        "closed: what is unanswered is not owed any more, unless it is reopened",
        "closed, with nothing left to answer",
    ),
    TicketReopened: (
        "reopened: what is unanswered is owed again, without the time it was over",
        "reopened, with nothing left to answer",
    ),
    TicketMerged: (
        "merged: from here on all is owed on ticket {into}",
        "merged into ticket {into}, with nothing left to answer",
    ),
    TicketAbsorbed: (
        "a duplicate was merged into it: what its customer was promised is owed here",
        "a duplicate was merged into it, and asks for nothing more",
    ),
    TicketErased: (
        "erased: nothing is owed any more",
        "erased, with nothing left to answer",
    ),
}
_ASKS_AGAIN: Final = "the customer wrote after an answer: that asks for another"
_CODED: Final[dict[type[Event], str]] = {
    TicketQueued: "reason",
    PromiseFeasible: "reason",
    TicketReclassified: "severity",
    SeverityReclassified: "severity",
    SeverityConfirmed: "severity",
    OfferWithdrawn: "cause",
    AssignmentHandedBack: "cause",
    CallbackAttempted: "outcome",
}
"""Fields of events that hold a code, which is shown as words."""
_MOVES_NONE: Final[dict[type[Event], str]] = {
    TicketNoted: "a note is internal: it is no answer",
    TicketQueued: "waits for a specialist ({reason}): clocks run on",
    TicketAssigned: "{specialist_id} has it: clocks run on until the answer",
    TicketDeclined: "{specialist_id} declined it ({reason}): clocks run on",
    TicketOffered: "it is offered to {specialist_id}: clocks run on",
    OfferAccepted: "{specialist_id} accepted it: clocks run on until the answer",
    OfferDeclined: "{specialist_id} declined it ({reason}): clocks run on",
    OfferExpired: "{specialist_id} did not answer the offer: clocks run on",
    SpecialistSetAway: "{specialist_id} is away after {unanswered} unanswered offers in a row",
    OfferWithdrawn: "the offer to {specialist_id} was withdrawn ({cause})",
    AssignmentHandedBack: "it went back from {specialist_id} to the queue ({cause}): clocks run on",
    SeverityConfirmed: "{specialist_id} confirmed the severity: {severity}",
    AssignmentReleased: "{specialist_id} is done with it ({cause})",
    CallbackJoined: "waits for the call of ticket {joined}, at the same number: clocks run on",
    CallbackAttempted: "{specialist_id} dialled ({outcome}): clocks run on until the answer",
    CallbackPlanned: "the next call is planned for {planned_at}: clocks run on",
    CallbackReminded: "{specialist_id} was reminded to dial again: clocks run on",
    PromiseInfeasible: "no specialist is on shift in time: {words}; clocks run on",
    PromiseFeasible: "no longer infeasible ({reason}): clocks run on",
    NotificationSent: _NOTIFIED,
    NotificationFailed: "{recipient} could not be notified ({reason}): clocks run on",
}
_WHOM: Final = {"customer": "the customer", "vendor": "the vendor", "other": "someone else"}

_CONTACTS: Final[dict[Contact, str]] = {
    "answered": "we called",
    "reached": "reported by upstream",
    "dialled": "they called us",
}


def why(entry: FactApplied) -> str:
    """Return the rule that applied; if nothing changed, the reason for that."""
    event, kind = entry.fact.event, type(entry.fact.event)
    if kind in _WHY:
        changed, unchanged = _WHY[kind]
        text = changed if entry.changes else unchanged
    else:
        text = _MOVES_NONE.get(kind, "moves no clock")
    if kind is CustomerReplied and any(isinstance(c, Started) for c in entry.changes):
        text = _ASKS_AGAIN
    return text.format_map(_fields(event))


def _fields(event: Event) -> dict[str, object]:
    """Return the event's fields for the sentence, with codes as words."""
    fields: dict[str, object] = event.model_dump(mode="json")
    coded = _CODED.get(type(event))
    if coded is not None:
        return {**fields, coded: _plain(str(fields[coded]))}
    match event:
        case TicketWaiting(waiting_for=whom):
            return {**fields, "waiting_for": _WHOM[whom]}
        case CallbackSettled(how=how):
            return {**fields, "how": _CONTACTS[how]}
        case _:
            return fields


def _plain(code: str) -> str:
    return code.replace("_", " ")
