"""What upstream systems reported about a ticket, in sentences."""

from collections.abc import Mapping
from typing import Final

from shared.events import (
    CustomerReached,
    CustomerReplied,
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
from shared.sla.promises import Cause, Severity
from shared.wording.reader import Message, Reader
from shared.wording.table import Sentences, always

__all__ = ["SENTENCES"]

_WAITING: Final[Mapping[Cause, Message]] = {
    "customer": Message("Waiting for the customer"),
    "vendor": Message("Waiting for the vendor"),
    "other": Message("Waiting for a third party"),
}
_RECLASSIFIED: Final[Mapping[Severity, Message]] = {
    "standard": Message("Changed to standard"),
    "business_critical": Message("Changed to business-critical"),
}


def _accepted(event: TicketAccepted, reader: Reader) -> str:
    due = [promise.due_at for promise in event.promises if promise.due_at is not None]
    named = {"source": event.source, "external_id": event.external_id}
    if not due:
        return reader.text(Message("Came in by {source} as {external_id}"), **named)
    named["due"] = reader.moment(min(due))
    if event.channel == "phone":
        return reader.text(Message("Came in by {source} as {external_id}, call due {due}"), **named)
    return reader.text(Message("Came in by {source} as {external_id}, due {due}"), **named)


def _replied(event: CustomerReplied, reader: Reader) -> str:
    if event.written_on is None:
        return reader.text(Message("The customer wrote again"))
    return reader.text(
        Message("The customer wrote again, on a ticket that was merged into this one")
    )


def _waiting(event: TicketWaiting, reader: Reader) -> str:
    return reader.text(_WAITING[event.waiting_for])


def _reclassified(event: TicketReclassified, reader: Reader) -> str:
    return reader.text(_RECLASSIFIED[event.severity])


SENTENCES: Final[Sentences] = {
    TicketAccepted: _accepted,
    TicketResponded: always(Message("The customer was answered")),
    CustomerReplied: _replied,
    CustomerReached: always(Message("The customer was reached")),
    TicketWaiting: _waiting,
    TicketResumed: always(Message("The wait is over")),
    TicketReclassified: _reclassified,
    TicketResolved: always(Message("Resolved")),
    TicketReopened: always(Message("Reopened")),
    TicketClosed: always(Message("Closed")),
    TicketNoted: always(Message("An internal note was written")),
    TicketMerged: always(Message("Merged into another ticket")),
    TicketAbsorbed: always(Message("Another ticket was merged into this one")),
    TicketErased: always(Message("Erased on request")),
}
