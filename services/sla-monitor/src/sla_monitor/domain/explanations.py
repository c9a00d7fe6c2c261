"""Why a fact changed what it changed, in words: the rule of the story that applied."""

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
from sla_monitor.domain.timeline import Happened

__all__ = ["why"]

_ANSWERED: Final = (
    "an answer settles every promise of a response",
    "no promise was waiting for an answer",
)
_TOLD: Final = "{recipient} was told: clocks run on until the answer"
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
        "the customer was spoken to ({how}): that answers every ticket that waited for the call",
        "no promise was waiting for a call",
    ),
    TicketResolved: (
        "a solution settles the resolution, and answers the customer as well",
        "no promise was waiting for a solution",
    ),
    CustomerReplied: (
        "the reply brings the ticket back: the due time moves by the time that did not count",
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
"""Which field of an event is a code, to be said in words."""
_MOVES_NONE: Final[dict[type[Event], str]] = {
    TicketNoted: "the customer does not see a note: it answers nothing",
    TicketQueued: "waits for a specialist ({reason}): clocks run on",
    TicketAssigned: "{specialist_id} has it: clocks run on until the answer",
    TicketDeclined: "{specialist_id} gave it back ({reason}): clocks run on",
    TicketOffered: "it rings at {specialist_id}: clocks run on",
    OfferAccepted: "{specialist_id} takes it: clocks run on until the answer",
    OfferDeclined: "{specialist_id} does not take it ({reason}): clocks run on",
    OfferExpired: "{specialist_id} said nothing: clocks run on",
    SpecialistSetAway: "{specialist_id} is away after {unanswered} unanswered offers in a row",
    OfferWithdrawn: "it rings at {specialist_id} no more ({cause})",
    AssignmentHandedBack: "it was taken from {specialist_id} ({cause}): clocks run on",
    SeverityConfirmed: "{specialist_id} finds it {severity}, as it stands",
    AssignmentReleased: "{specialist_id} is done with it ({cause})",
    CallbackJoined: "waits for the call of ticket {joined}, at the same number: clocks run on",
    CallbackAttempted: "{specialist_id} dialled ({outcome}): clocks run on until the answer",
    CallbackPlanned: "is to be dialled again at {planned_at}: clocks run on",
    CallbackReminded: "{specialist_id} was reminded to dial again: clocks run on",
    PromiseInfeasible: "nobody will be there in time: {words}; clocks run on",
    PromiseFeasible: "infeasible no more ({reason}): clocks run on",
    NotificationSent: _TOLD,
    NotificationFailed: "{recipient} could not be told ({reason}): clocks run on",
}
_WHOM: Final = {"customer": "the customer", "vendor": "the vendor", "other": "somebody else"}

_SPOKEN: Final[dict[Contact, str]] = {
    "answered": "we called",
    "reached": "upstream told of it",
    "dialled": "they called us",
}


def why(entry: Happened) -> str:
    """Name the rule; where nothing changed, why nothing did."""
    event, kind = entry.fact.event, type(entry.fact.event)
    if kind in _WHY:
        changed, unchanged = _WHY[kind]
        text = changed if entry.changes else unchanged
    else:
        text = _MOVES_NONE.get(kind, "moves no clock")
    if kind is CustomerReplied and any(isinstance(c, Started) for c in entry.changes):
        text = _ASKS_AGAIN
    return text.format_map(_words(event))


def _words(event: Event) -> dict[str, object]:
    """Give what the event says, the codes as words."""
    words: dict[str, object] = event.model_dump(mode="json")
    coded = _CODED.get(type(event))
    if coded is not None:
        return {**words, coded: _plain(str(words[coded]))}
    match event:
        case TicketWaiting(waiting_for=whom):
            return {**words, "waiting_for": _WHOM[whom]}
        case CallbackSettled(how=how):
            return {**words, "how": _SPOKEN[how]}
        case _:
            return words


def _plain(code: str) -> str:
    return code.replace("_", " ")
