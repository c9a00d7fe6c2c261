"""Facts about a ticket, written by intake to ``tickets.v1``."""

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
    """What happened to a ticket, as far as upstream systems tell."""

    topic: ClassVar[str] = "tickets.v1"


class TicketAccepted(TicketFact):
    """A request became a ticket; its promises run from the envelope's time, the create date.

    ``policy`` is the version that priced it, ``rule`` its rule, ``if_reclassified`` what another
    severity would be promised: who reads this needs no policy. Old facts lack all of them.
    ``requester_id`` was in old facts only: it is empty, for nobody but intake knows who asked.
    ``number_key`` is equal for requests that brought one telephone number, and says nothing more of
    it. Who ``dialled`` called us and is owed no call. For ``reopen_within_s`` after it was closed a
    reply of the customer reopens the ticket.
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
        """Say what the ticket is promised at a severity; an old fact is priced as it was then."""
        if severity == self.severity:
            return self.promises
        if severity in self.if_reclassified:
            return self.if_reclassified[severity]
        return default_policy().price(self.asked(severity), create_date).promises

    def asked(self, severity: Severity) -> RequestTraits:
        """Say what a policy goes by, at a severity."""
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
    """Somebody of ours answered the customer."""

    type: ClassVar[str] = "premium.ticket.responded.v1"


class CustomerReplied(TicketFact):
    """The customer wrote again; ``written_on`` a duplicate that was merged into this ticket."""

    type: ClassVar[str] = "premium.customer.replied.v1"

    written_on: UUID | None = added(None)


class CustomerReached(TicketFact):
    """The customer was spoken to: a callback that is kept."""

    type: ClassVar[str] = "premium.customer.reached.v1"


class TicketWaiting(TicketFact):
    """The ticket waits for somebody outside; clocks pause."""

    type: ClassVar[str] = "premium.ticket.waiting.v1"

    waiting_for: Cause


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
    """The request was a duplicate: what is owed, is owed on the ticket ``into`` from here on."""

    type: ClassVar[str] = "premium.ticket.merged.v1"

    into: UUID


class TicketErased(TicketFact):
    """What is personal about the ticket was erased; nothing is owed any more."""

    type: ClassVar[str] = "premium.ticket.erased.v1"


class TicketAbsorbed(TicketFact):
    """The duplicate ``absorbed`` was merged into this ticket.

    A merge gives nobody more time: promises count from ``create_date``, the duplicate's, if that
    was earlier. ``owed_since`` is its customer's first word that had no answer when it was merged:
    it is owed one here. A duplicate that was not over ``reopens`` a ticket that is.
    """

    type: ClassVar[str] = "premium.ticket.absorbed.v1"

    absorbed: UUID
    create_date: Moment
    owed_since: Moment | None = added(None)
    reopens: bool = added(default=False)

    @property
    @override
    def discriminator(self) -> str:
        """The duplicate."""
        return str(self.absorbed)
