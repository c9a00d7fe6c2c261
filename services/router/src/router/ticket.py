"""A ticket as the router sees it: what was told of it in any order, and who has it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple, get_args
from uuid import UUID

from router.offers.offer import Offer
from shared.events import (
    AssignmentResponded,
    CallbackSettled,
    CustomerReached,
    Envelope,
    Event,
    Release,
    SeverityReclassified,
    TicketAccepted,
    TicketClosed,
    TicketErased,
    TicketMerged,
    TicketReclassified,
    TicketReopened,
    TicketResolved,
    TicketResponded,
)
from shared.policies import Asked, default_policy
from shared.promises import Channel, Promise, Role, Severity

__all__ = ["FACTS", "Fact", "Key", "Reclassified", "Request", "Ticket", "base"]

type Fact = Release | Literal["reopened"]
type Key = tuple[datetime, UUID]
"""The order of work: earliest due first, then by ticket."""

_SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity.__value__)
_UNPROMISED_AFTER: Final = timedelta(days=7)
"""Where nothing is promised, work comes after what is, and still has its turn."""
_RELEASES: Final[dict[Channel, frozenset[Fact]]] = {
    "email": frozenset({"responded", "resolved", "closed"}),
    "phone": frozenset({"reached", "responded", "resolved", "closed"}),
    "chat": frozenset({"resolved", "closed"}),
}
"""What ends a specialist's work on a ticket (ARCHITECTURE, "Capacity is held")."""

FACTS: Final = (
    TicketAccepted,
    TicketReclassified,
    TicketResponded,
    CustomerReached,
    TicketResolved,
    TicketClosed,
    TicketMerged,
    TicketErased,
    TicketReopened,
    CallbackSettled,
)
"""The facts that matter here; the others change nobody's room."""


class Request(NamedTuple):
    """What the accepted request said."""

    account_id: str
    role: Role
    channel: Channel
    severity: Severity
    language: str
    time_zone: str
    create_date: datetime


class Reclassified(NamedTuple):
    """A correction of the severity. The latest counts; of two at one moment, the greater id."""

    at: datetime
    by: UUID
    severity: Severity


def base(language: str) -> str:
    """Reduce a tag to the language spoken: an Austrian and a German understand each other."""
    return language.partition("-")[0].lower()


@dataclass(slots=True)
class Ticket:
    """Facts are folded in whatever order they come; the outcome depends on their set alone."""

    ticket_id: UUID
    request: Request | None = None
    due_at: datetime | None = None
    due_by_severity: dict[Severity, datetime] = field(default_factory=dict)
    latest: dict[Fact, datetime] = field(default_factory=dict)
    reclassified: Reclassified | None = None
    specialist_id: str | None = None
    assigned_count: int = 0
    waiting_since: datetime | None = None
    offer: Offer | None = None
    """The open one: it rings at somebody, and nobody has it."""
    offered_count: int = 0
    set_aside: dict[str, datetime] = field(default_factory=dict)
    """Who is passed over, and until when: they declined it, or let it ring."""
    declined_by: frozenset[str] = frozenset()
    """Those of them who said no, or gave it back."""
    hand_back_at: datetime | None = None
    """When it leaves somebody who has gone, unless they come back."""
    pinned_to: str | None = None
    """Whom a lead wants to have it, and nobody else."""
    confirmed: Severity | None = None
    """The severity that a specialist found right."""
    rides_with: UUID | None = None
    """The ticket whose call answers this one as well: nobody need be found for it."""

    @property
    def terms(self) -> Request:
        """The request of a ticket that waits or is held: it was accepted."""
        assert self.request is not None  # noqa: S101 - only accepted tickets get that far
        return self.request

    @property
    def key(self) -> Key:
        """Its place in the order of work."""
        assert self.due_at is not None  # noqa: S101 - as above
        return self.due_at, self.ticket_id

    @property
    def severity(self) -> Severity:
        """The severity as corrected."""
        return self.reclassified.severity if self.reclassified else self.terms.severity

    @property
    def needs_specialist(self) -> bool:
        """Accepted, on its own, and nothing ended the work since it was last reopened."""
        if self.request is None or self.rides_with is not None:
            return False
        ends = [self.latest[fact] for fact in _RELEASES[self.request.channel] & self.latest.keys()]
        reopened = self.latest.get("reopened")
        return not ends or (reopened is not None and max(ends) <= reopened)

    @property
    def waits(self) -> bool:
        """Needs a specialist, has none and rings at none."""
        return self.with_whom is None and self.needs_specialist

    @property
    def with_whom(self) -> str | None:
        """Name who has it, or at whom it rings."""
        return self.specialist_id if self.offer is None else self.offer.specialist_id

    @property
    def wakes_at(self) -> datetime | None:
        """Say when a lease, a grace or a setting aside ends: time alone changes what is to do."""
        if self.offer is not None:
            return self.offer.lease_ends_at
        if self.specialist_id is not None:
            return self.hand_back_at
        return min(self.set_aside.values(), default=None) if self.needs_specialist else None

    def forget_asides(self, now: datetime) -> None:
        """Pass nobody over any more whose time is up."""
        self.set_aside = {who: until for who, until in self.set_aside.items() if until > now}
        self.declined_by &= self.set_aside.keys()

    def begin_round(self, specialist_id: str) -> None:
        """Let it ring anew at who was set aside: at those who were silent; if need be, at all."""
        if specialist_id in self.declined_by:
            self.set_aside, self.declined_by = {}, frozenset()
        elif specialist_id in self.set_aside:
            self.set_aside = {who: self.set_aside[who] for who in self.declined_by}

    def learn(self, envelope: Envelope[Event]) -> None:
        """Fold one fact in."""
        match envelope.event:
            case TicketAccepted() as event:
                self._accept(event, envelope.time)
            case TicketReclassified() | SeverityReclassified() as event:
                self._reclassify(Reclassified(envelope.time, envelope.id, event.severity))
            case event if (fact := fact_of(event)) is not None:
                self.latest[fact] = max(envelope.time, self.latest.get(fact, envelope.time))
            case _:
                pass

    def _accept(self, event: TicketAccepted, create_date: datetime) -> None:
        """Take the request in; a ticket has one, whoever sends a second."""
        if self.request is not None:
            return
        self.request = Request(
            account_id=event.account_id,
            role=event.role,
            channel=event.channel,
            severity=event.severity,
            language=event.language,
            time_zone=event.time_zone,
            create_date=create_date,
        )
        self.due_by_severity = {
            severity: _first_due(event.promised(severity, create_date), create_date)
            for severity in _SEVERITIES
        }
        self.due_at = self.due_by_severity[event.severity]
        self._reprice()

    def _reclassify(self, correction: Reclassified) -> None:
        if self.reclassified is None or self.reclassified < correction:
            self.reclassified = correction
            self._reprice()

    def _reprice(self) -> None:
        """Promises of a corrected severity run from the same create date."""
        if self.request is None or self.reclassified is None:
            return
        severity = self.reclassified.severity
        if severity not in self.due_by_severity:
            self.due_by_severity[severity] = _due_as_built_in(self.request, severity)
        self.due_at = self.due_by_severity[severity]


def _first_due(promises: Iterable[Promise], create_date: datetime) -> datetime:
    due = (promise.due_at for promise in promises if promise.due_at is not None)
    return min(due, default=create_date + _UNPROMISED_AFTER).astimezone(UTC)


def _due_as_built_in(request: Request, severity: Severity) -> datetime:
    """Price a ticket that was taken in before tickets brought both their prices."""
    asked = Asked(request.role, request.channel, severity, request.language, request.time_zone)
    pricing = default_policy().price(asked, request.create_date)
    return _first_due(pricing.promises, request.create_date)


def fact_of(event: Event) -> Fact | None:
    """Name the facts of which only the latest moment counts."""
    match event:
        case TicketResponded() | AssignmentResponded():
            return "responded"
        case CustomerReached() | CallbackSettled():
            return "reached"
        case TicketResolved():
            return "resolved"
        case TicketClosed() | TicketMerged() | TicketErased():
            return "closed"
        case TicketReopened():
            return "reopened"
        case _:
            return None
