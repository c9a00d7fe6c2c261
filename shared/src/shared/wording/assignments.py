"""Who was offered a ticket, who had it and why it left them, in sentences."""

from collections.abc import Callable, Mapping
from typing import Final

from shared.events import (
    AssignmentHandedBack,
    AssignmentReleased,
    AssignmentResponded,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    QueueReason,
    Release,
    SeverityConfirmed,
    SeverityReclassified,
    SpecialistSetAway,
    TicketAssigned,
    TicketDeclined,
    TicketOffered,
    TicketQueued,
)
from shared.events.assignments import SpecialistFact
from shared.sla.promises import Severity
from shared.wording.reader import Message, Plural, Reader
from shared.wording.table import Sentences

__all__ = ["SENTENCES", "set_away", "unanswered_offers"]

_QUEUED: Final[Mapping[QueueReason, Message]] = {
    "no_skill": Message("Waited: nobody on the roster takes this channel in its language"),
    "no_capacity": Message("Waited: everyone who could take it was full"),
    "no_shift": Message("Waited: nobody who could take it was on shift"),
    "no_answer": Message("Waited: everyone free had declined or missed it"),
}
_WITHDRAWN: Final[Mapping[str, Message]] = {
    "responded": Message("Stopped ringing for {who}: the customer was answered"),
    "reached": Message("Stopped ringing for {who}: the customer was reached"),
    "resolved": Message("Stopped ringing for {who}: the ticket was resolved"),
    "closed": Message("Stopped ringing for {who}: the ticket was closed"),
    "offline": Message("Stopped ringing for {who}, who went offline"),
    "off_shift": Message("Stopped ringing for {who}, whose shift ended"),
    "left": Message("Stopped ringing for {who}, who left the roster"),
    "away": Message("Stopped ringing for {who}, who went away"),
    "moved": Message("Stopped ringing for {who}: a lead moved the ticket"),
    "pinned": Message("Stopped ringing for {who}: a lead keeps the ticket for someone else"),
}
_RELEASED: Final[Mapping[Release, Message]] = {
    "responded": Message("{who} is done: the customer was answered"),
    "reached": Message("{who} is done: the customer was reached"),
    "resolved": Message("{who} is done: the ticket was resolved"),
    "closed": Message("{who} is done: the ticket was closed"),
}
_HANDED_BACK: Final[Mapping[str, Message]] = {
    "offline": Message("Back in the queue: {who} went offline"),
    "off_shift": Message("Back in the queue: the shift of {who} ended"),
    "left": Message("Back in the queue: {who} left the roster"),
    "moved": Message("A lead moved it from {who}"),
    "by_hand": Message("{who} handed it back"),
}
_CONFIRMED: Final[Mapping[Severity, Message]] = {
    "standard": Message("{who} confirmed that it is standard"),
    "business_critical": Message("{who} confirmed that it is business-critical"),
}
_RECLASSIFIED: Final[Mapping[Severity, Message]] = {
    "standard": Message("{who} changed it to standard"),
    "business_critical": Message("{who} changed it to business-critical"),
}
_YOU_AWAY: Final = Plural(
    "You were set away after one missed offer",
    "You were set away after {count} missed offers in a row",
)
_AWAY: Final = Plural(
    "{who} was set away after one missed offer",
    "{who} was set away after {count} missed offers in a row",
)
_RANG: Final = Plural(
    "Rang once without an answer: {each}", "Rang {count} times without an answer: {each}"
)
_RANG_FOR: Final = Plural("{who} once", "{who} {count} times")


def unanswered_offers(counts: Mapping[str, int], reader: Reader) -> str:
    """Return the sentence for several offers that expired, given their number by specialist."""
    each = ", ".join(
        reader.plural(_RANG_FOR, count, who=reader.name(who)) for who, count in counts.items()
    )
    return reader.plural(_RANG, sum(counts.values()), each=each)


def set_away(specialist_id: str | None, unanswered: int, reader: Reader) -> str:
    """Return the sentence for a specialist who was set away; None means the reader."""
    if specialist_id is None:
        return reader.plural(_YOU_AWAY, unanswered)
    return reader.plural(_AWAY, unanswered, who=reader.name(specialist_id))


def _who(message: Message) -> Callable[[SpecialistFact, Reader], str]:
    return lambda event, reader: reader.text(message, who=reader.name(event.specialist_id))


def _declined(event: TicketDeclined | OfferDeclined, reader: Reader) -> str:
    who = reader.name(event.specialist_id)
    return reader.text(Message("{who} declined: {reason}"), who=who, reason=event.reason)


def _withdrawn(event: OfferWithdrawn, reader: Reader) -> str:
    return reader.text(_WITHDRAWN[event.cause], who=reader.name(event.specialist_id))


def _assigned(event: TicketAssigned, reader: Reader) -> str:
    who, waited = reader.name(event.specialist_id), reader.duration(event.waited_ms / 1000)
    if not event.english_instead:
        return reader.text(Message("Assigned to {who} after {waited}"), who=who, waited=waited)
    return reader.text(
        Message("Assigned to {who} after {waited}, in English instead of {language}"),
        who=who,
        waited=waited,
        language=reader.language(event.language),
    )


def _released(event: AssignmentReleased, reader: Reader) -> str:
    return reader.text(_RELEASED[event.cause], who=reader.name(event.specialist_id))


def _handed_back(event: AssignmentHandedBack, reader: Reader) -> str:
    who = reader.name(event.specialist_id)
    if event.cause != "by_hand" or not event.reason:
        return reader.text(_HANDED_BACK[event.cause], who=who)
    if event.by in {None, event.specialist_id}:
        message = Message("{who} handed it back: {reason}")
        return reader.text(message, who=who, reason=event.reason)
    return reader.text(
        Message("{lead} took it back from {who}: {reason}"),
        lead=reader.name(event.by or ""),
        who=who,
        reason=event.reason,
    )


def _confirmed(event: SeverityConfirmed, reader: Reader) -> str:
    return reader.text(_CONFIRMED[event.severity], who=reader.name(event.specialist_id))


def _reclassified(event: SeverityReclassified, reader: Reader) -> str:
    return reader.text(_RECLASSIFIED[event.severity], who=reader.name(event.specialist_id))


SENTENCES: Final[Sentences] = {
    TicketQueued: lambda event, reader: reader.text(_QUEUED[event.reason]),
    TicketOffered: _who(Message("Rang for {who}")),
    OfferAccepted: _who(Message("{who} accepted")),
    OfferDeclined: _declined,
    OfferExpired: _who(Message("{who} missed it")),
    OfferWithdrawn: _withdrawn,
    SpecialistSetAway: lambda e, reader: set_away(e.specialist_id, e.unanswered, reader),
    TicketAssigned: _assigned,
    TicketDeclined: _declined,
    AssignmentHandedBack: _handed_back,
    AssignmentResponded: _who(Message("{who} answered the customer")),
    AssignmentReleased: _released,
    SeverityConfirmed: _confirmed,
    SeverityReclassified: _reclassified,
}
