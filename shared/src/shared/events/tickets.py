"""Facts about a ticket, written by intake to ``tickets.v1``."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.base import Moment, TicketEvent
from shared.promises import Channel, Promise, Role, Severity, promises_for

__all__ = [
    "CustomerReached",
    "CustomerReplied",
    "TicketAccepted",
    "TicketClosed",
    "TicketErased",
    "TicketFact",
    "TicketMerged",
    "TicketNoted",
    "TicketReclassified",
    "TicketReopened",
    "TicketResolved",
    "TicketResponded",
    "TicketResumed",
    "TicketWaiting",
]


class TicketFact(TicketEvent):
    """What happened to a ticket, as far as upstream systems tell."""

    topic: ClassVar[str] = "tickets.v1"


class TicketAccepted(TicketFact):
    """A request became a ticket; its promises run from the envelope's time, the create date."""

    type: ClassVar[str] = "premium.ticket.accepted.v1"

    source: str
    external_id: str
    account_id: str
    requester_id: str
    role: Role
    channel: Channel
    severity: Severity
    claimed_severity: Severity
    language: str
    time_zone: str
    policy: str
    promises: tuple[Promise, ...]
    accepted_at: Moment | None = None

    def promises_at(self, severity: Severity, create_date: datetime) -> tuple[Promise, ...]:
        """Give what is promised at a severity, priced from the create date."""
        if severity == self.severity:
            return self.promises
        return promises_for(role=self.role, channel=self.channel, severity=severity, time_zone=self.time_zone, create_date=create_date)


class TicketResponded(TicketFact):
    """Somebody of ours answered the customer."""

    type: ClassVar[str] = "premium.ticket.responded.v1"


class CustomerReplied(TicketFact):
    """The customer wrote again."""

    type: ClassVar[str] = "premium.customer.replied.v1"


class CustomerReached(TicketFact):
    """The customer was spoken to: a callback that is kept."""

    type: ClassVar[str] = "premium.customer.reached.v1"


class TicketWaiting(TicketFact):
    """The ticket waits for somebody outside; clocks pause."""

    type: ClassVar[str] = "premium.ticket.waiting.v1"

    waiting_for: Literal["customer", "vendor", "other"]


class TicketResumed(TicketFact):
    """The wait is over; clocks run on."""

    type: ClassVar[str] = "premium.ticket.resumed.v1"


class TicketReclassified(TicketFact):
    """The severity was corrected; promises are priced anew from the create date."""

    type: ClassVar[str] = "premium.ticket.reclassified.v1"

    severity: Severity


class TicketResolved(TicketFact):
    """The problem is solved, which also answers the customer."""

    type: ClassVar[str] = "premium.ticket.resolved.v1"


class TicketReopened(TicketFact):
    """A resolved or closed ticket needs work again."""

    type: ClassVar[str] = "premium.ticket.reopened.v1"


class TicketClosed(TicketFact):
    """Nothing more is owed; open clocks are cancelled."""

    type: ClassVar[str] = "premium.ticket.closed.v1"


class TicketNoted(TicketFact):
    """Somebody of ours wrote a note that the customer does not see: it answers nothing."""

    type: ClassVar[str] = "premium.ticket.noted.v1"


class TicketMerged(TicketFact):
    """The request was a duplicate: what is owed, is owed on the ticket ``into`` from here on.

    A merge gives nobody more time: the promises there count from the earlier create date.
    """

    type: ClassVar[str] = "premium.ticket.merged.v1"

    into: UUID


class TicketErased(TicketFact):
    """What is personal about the ticket was erased; nothing is owed any more."""

    type: ClassVar[str] = "premium.ticket.erased.v1"
