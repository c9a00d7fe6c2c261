"""Events about a ticket, published by intake on ``tickets.v1``."""

from datetime import datetime
from typing import ClassVar, override
from uuid import UUID

from shared.events.base import Moment, TicketEvent
from shared.sla.policies import RequestTraits, default_policy
from shared.sla.promises import Cause, Channel, Promise, Role, Severity, added

__all__ = [
    "CustomerReached",
    "CustomerReplied",
    "TicketAbsorbed",
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
    """An event about a ticket that an upstream system reported."""

    topic: ClassVar[str] = "tickets.v1"


class TicketAccepted(TicketFact):
    """A request became a ticket; its promises run from the envelope's time, the create date.

    ``policy`` and ``rule`` name the version and rule that determined the promises;
    ``if_reclassified`` holds the promises at another severity, so that consumers need no policy.
    Old events lack these three. ``requester_id`` is always empty, except in old events: only intake
    knows the requester. ``number_key`` is equal for requests with the same telephone number, and
    reveals nothing else. A customer who ``dialled`` called us and is owed no callback. A customer's
    reply reopens the ticket until ``reopen_within_s`` seconds after it was closed.
    """

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
    tier: str | None = added(None)
    region: str | None = added(None)
    accepted_at: Moment | None = added(None)
    rule: str = added("")
    if_reclassified: dict[Severity, tuple[Promise, ...]] = added({})
    number_key: str | None = added(None)
    dialled: bool = added(default=False)
    reopen_within_s: int = added(default=2_592_000)

    def promised(self, severity: Severity, create_date: datetime) -> tuple[Promise, ...]:
        """Return the promises at a severity; for an old event, by the default policy."""
        if severity == self.severity:
            return self.promises
        if severity in self.if_reclassified:
            return self.if_reclassified[severity]
        return default_policy().price(self.asked(severity), create_date).promises

    def asked(self, severity: Severity) -> RequestTraits:
        """Return the traits by which a policy chooses its rule, at a severity."""
        return RequestTraits(
            role=self.role,
            channel=self.channel,
            severity=severity,
            language=self.language,
            time_zone=self.time_zone,
            tier=self.tier,
            region=self.region,
        )


class TicketResponded(TicketFact):
    """A specialist answered the customer."""

    type: ClassVar[str] = "premium.ticket.responded.v1"


class CustomerReplied(TicketFact):
    """The customer wrote again; if to a merged duplicate, that is ``written_on``."""

    type: ClassVar[str] = "premium.customer.replied.v1"

    written_on: UUID | None = added(None)


class CustomerReached(TicketFact):
    """A specialist spoke with the customer, which meets a promised callback."""

    type: ClassVar[str] = "premium.customer.reached.v1"


class TicketWaiting(TicketFact):
    """The ticket waits for the customer, a vendor or others; clocks pause."""

    type: ClassVar[str] = "premium.ticket.waiting.v1"

    waiting_for: Cause


class TicketResumed(TicketFact):
    """The wait is over; clocks run on."""

    type: ClassVar[str] = "premium.ticket.resumed.v1"


class TicketReclassified(TicketFact):
    """The severity was corrected; promises are computed again from the create date."""

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
    """A specialist wrote an internal note, which does not count as a response."""

    type: ClassVar[str] = "premium.ticket.noted.v1"


class TicketMerged(TicketFact):
    """The request was a duplicate: the ticket ``into`` takes over what is owed to the customer."""

    type: ClassVar[str] = "premium.ticket.merged.v1"

    into: UUID


class TicketErased(TicketFact):
    """The personal data of the ticket was erased; nothing is owed any more."""

    type: ClassVar[str] = "premium.ticket.erased.v1"


class TicketAbsorbed(TicketFact):
    """The duplicate ``absorbed`` was merged into this ticket.

    A merge must not extend a due time: promises count from the duplicate's ``create_date`` if that
    is earlier. ``owed_since`` is the time of its customer's first message without a response, which
    is owed on this ticket now. ``reopens``: the duplicate still needed work, so this ticket is open
    again if it was over.
    """

    type: ClassVar[str] = "premium.ticket.absorbed.v1"

    absorbed: UUID
    create_date: Moment
    owed_since: Moment | None = added(None)
    reopens: bool = added(default=False)

    @property
    @override
    def discriminator(self) -> str:
        """The duplicate's id."""
        return str(self.absorbed)
