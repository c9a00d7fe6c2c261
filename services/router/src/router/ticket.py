"""A ticket as the router sees it: what was told of it in any order, and who has it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Final, Literal, NamedTuple, get_args
from uuid import UUID

from router.matching import Pool, Rules
from shared.events import (
    CustomerReached,
    Envelope,
    Event,
    TicketAccepted,
    TicketClosed,
    TicketReclassified,
    TicketReopened,
    TicketResolved,
    TicketResponded,
)
from shared.policies import Asked, default_policy
from shared.promises import Channel, Promise, PromiseClass, Role, Severity

__all__ = ["FACTS", "Fact", "Key", "Reclassified", "Release", "Request", "Ticket", "base"]

type Release = Literal["responded", "reached", "resolved", "closed"]
type Fact = Release | Literal["reopened"]
type Key = tuple[datetime, UUID]
"""The order of work: the earliest `rank_at` first, then by ticket."""
type _First = tuple[datetime, PromiseClass]
"""When the first promise is due, and of which class it is."""

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
    TicketReopened,
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
    class_by_severity: dict[Severity, PromiseClass] = field(default_factory=dict)
    latest: dict[Fact, datetime] = field(default_factory=dict)
    reclassified: Reclassified | None = None
    specialist_id: str | None = None
    assigned_count: int = 0
    declined_by: frozenset[str] = frozenset()
    waiting_since: datetime | None = None
    pool: Pool | None = None
    """Where it waits, or waited last."""
    rank_at: datetime | None = None
    again_at: datetime | None = None
    """When it is to be tried again though nothing else happens."""

    @property
    def terms(self) -> Request:
        """The request of a ticket that waits or is held: it was accepted."""
        assert self.request is not None  # noqa: S101 - only accepted tickets get that far
        return self.request

    @property
    def key(self) -> Key:
        """Its place in the order of work."""
        assert self.rank_at is not None  # noqa: S101 - as above
        return self.rank_at, self.ticket_id

    @property
    def due(self) -> datetime:
        """When the first of its promises is due."""
        assert self.due_at is not None  # noqa: S101 - as above
        return self.due_at

    @property
    def severity(self) -> Severity:
        """The severity as corrected."""
        return self.reclassified.severity if self.reclassified else self.terms.severity

    @property
    def promise_class(self) -> PromiseClass:
        """The class of what is due first; a row of before is read by the built-in policy."""
        known = self.class_by_severity.get(self.severity)
        return known or _as_built_in(self.terms, self.severity)[1]

    @property
    def needs_specialist(self) -> bool:
        """Accepted, and nothing ended the work since it was last reopened."""
        if self.request is None:
            return False
        ends = [self.latest[fact] for fact in _RELEASES[self.request.channel] & self.latest.keys()]
        reopened = self.latest.get("reopened")
        return not ends or (reopened is not None and max(ends) <= reopened)

    @property
    def waits(self) -> bool:
        """Needs a specialist and has none."""
        return self.specialist_id is None and self.needs_specialist

    def place(self, rules: Rules, now: datetime) -> Pool:
        """Find its place in the order of work, its pool, and when it will have another."""
        terms = self.terms
        skills = rules.skills_for(
            channel=terms.channel,
            severity=self.severity,
            role=terms.role,
            account_id=terms.account_id,
        )
        step = rules.step(terms.create_date, self.due, now)
        self.pool = Pool(terms.channel, base(terms.language), step, skills)
        self.rank_at = rules.rank_at(terms.create_date, self.due, self.promise_class, now)
        self.again_at = rules.again_at(terms.create_date, self.due, now)
        return self.pool

    def learn(self, envelope: Envelope[Event]) -> None:
        """Fold one fact in."""
        match envelope.event:
            case TicketAccepted() as event:
                self._accept(event, envelope.time)
            case TicketReclassified() as event:
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
        for severity in _SEVERITIES:
            first = _first(event.promised(severity, create_date), create_date)
            self.due_by_severity[severity], self.class_by_severity[severity] = first
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
            first = _as_built_in(self.request, severity)
            self.due_by_severity[severity], self.class_by_severity[severity] = first
        self.due_at = self.due_by_severity[severity]


def _first(promises: Iterable[Promise], create_date: datetime) -> _First:
    due = ((p.due_at.astimezone(UTC), p.promise_class) for p in promises if p.due_at is not None)
    unpromised: _First = (create_date + _UNPROMISED_AFTER).astimezone(UTC), "objective"
    return min(due, key=itemgetter(0), default=unpromised)


def _as_built_in(request: Request, severity: Severity) -> _First:
    """Price a ticket that was taken in before tickets brought both their prices."""
    asked = Asked(request.role, request.channel, severity, request.language, request.time_zone)
    pricing = default_policy().price(asked, request.create_date)
    return _first(pricing.promises, request.create_date)


def fact_of(event: Event) -> Fact | None:
    """Name the facts of which only the latest moment counts."""
    match event:
        case TicketResponded():
            return "responded"
        case CustomerReached():
            return "reached"
        case TicketResolved():
            return "resolved"
        case TicketClosed():
            return "closed"
        case TicketReopened():
            return "reopened"
        case _:
            return None
