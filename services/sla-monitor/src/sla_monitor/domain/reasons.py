"""Why a fact changed what it changed, in words: the rule of the story that applied."""

from typing import Final

from shared.events import (
    AssignmentHandedBack,
    AssignmentReleased,
    AssignmentResponded,
    CustomerReached,
    CustomerReplied,
    Event,
    NotificationFailed,
    NotificationSent,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    SeverityConfirmed,
    SeverityReclassified,
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
from sla_monitor.domain.history import Happened

__all__ = ["why"]

_ANSWERED: Final = (
    "an answer settles every promise of a response",
    "no promise was waiting for an answer",
)
_TOLD: Final = "{recipient} was told: clocks run on until the answer"
_PRICED: Final = (
    "{severity}: priced anew, from the same create date",
    "{severity}: the same is promised",
)
_WHY: Final[dict[type[Event], tuple[str, str]]] = {
    TicketAccepted: (
        "promises run from the create date",
        "no promise is timed from here",
    ),
    TicketResponded: _ANSWERED,
    AssignmentResponded: _ANSWERED,
    CustomerReached: _ANSWERED,
    TicketResolved: (
        "a solution settles the resolution, and answers the customer as well",
        "no promise was waiting for a solution",
    ),
    CustomerReplied: (
        "the wait was for the customer: the reply ends it, the due time moves by it",
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
        "a duplicate was merged into it: promises run from its create date, the earlier one",
        "a duplicate was merged into it, and gives no earlier create date",
    ),
    TicketErased: (
        "erased: nothing is owed any more",
        "erased, with nothing left to answer",
    ),
}
_ASKS_AGAIN: Final = "the customer wrote after an answer: that asks for another"
_MOVES_NONE: Final[dict[type[Event], str]] = {
    TicketNoted: "the customer does not see a note: it answers nothing",
    TicketQueued: "waits for a specialist ({reason}): clocks run on",
    TicketAssigned: "{specialist_id} has it: clocks run on until the answer",
    TicketDeclined: "{specialist_id} gave it back ({reason}): clocks run on",
    TicketOffered: "it rings at {specialist_id}: clocks run on",
    OfferAccepted: "{specialist_id} takes it: clocks run on until the answer",
    OfferDeclined: "{specialist_id} does not take it ({reason}): clocks run on",
    OfferExpired: "{specialist_id} said nothing: clocks run on",
    OfferWithdrawn: "it rings at {specialist_id} no more ({cause})",
    AssignmentHandedBack: "it was taken from {specialist_id} ({cause}): clocks run on",
    SeverityConfirmed: "{specialist_id} finds it {severity}, as it stands",
    AssignmentReleased: "{specialist_id} is done with it ({cause})",
    NotificationSent: _TOLD,
    NotificationFailed: "{recipient} could not be told ({reason}): clocks run on",
}
_WHOM: Final = {"customer": "the customer", "vendor": "the vendor", "other": "somebody else"}


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
    match event:
        case TicketWaiting(waiting_for=whom):
            return {**words, "waiting_for": _WHOM[whom]}
        case TicketQueued(reason=code):
            return {**words, "reason": _plain(code)}
        case TicketReclassified() | SeverityReclassified() | SeverityConfirmed():
            return {**words, "severity": _plain(event.severity)}
        case OfferWithdrawn(cause=code) | AssignmentHandedBack(cause=code):
            return {**words, "cause": _plain(code)}
        case _:
            return words


def _plain(code: str) -> str:
    return code.replace("_", " ")
