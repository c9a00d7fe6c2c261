"""A ticket as the router sees it: what was told of it in any order, and who has it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from router.domain.matching import MatchingRules, Pool
from router.domain.offers.offer import Offer
from router.domain.ticket_status import (
    UNKNOWN,
    LifecycleState,
    LifecycleStatus,
    lifecycle_status_after,
)
from shared.events import (
    CallbackSettled,
    ClockFact,
    CustomerReached,
    CustomerReplied,
    Envelope,
    Event,
    Release,
    SeverityReclassified,
    TicketAbsorbed,
    TicketAccepted,
    TicketClosed,
    TicketErased,
    TicketMerged,
    TicketReclassified,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
)
from shared.sla.promises import Channel, PromiseClass, PromiseKind, Role, Severity
from shared.tickets import Kind, fact_of
from shared.tickets.due import MOVES_DUE, Timed, as_accepted, due_first, follow

__all__ = [
    "FACTS",
    "Key",
    "Reclassified",
    "Request",
    "Ticket",
    "base_language",
    "first_due_clock",
    "release_cause",
]

type Key = tuple[datetime, UUID]
"""The order of work: the earliest `rank_at` first, then by ticket."""

_UNPROMISED_AFTER: Final = timedelta(days=7)
"""Where nothing is promised, work comes after what is, and still has its turn."""
_PAUSED_AFTER: Final = timedelta(days=3650)
"""While a clock is paused, work comes after all other."""

_LATER: Final = ("next_response", "resolution")

FACTS: Final = (
    TicketAccepted,
    TicketReclassified,
    TicketResponded,
    CustomerReplied,
    CustomerReached,
    TicketWaiting,
    TicketResumed,
    TicketResolved,
    TicketClosed,
    TicketMerged,
    TicketAbsorbed,
    TicketErased,
    TicketReopened,
    CallbackSettled,
    *MOVES_DUE,
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


def base_language(language: str) -> str:
    """Reduce a tag to the language spoken: an Austrian and a German understand each other."""
    return language.partition("-")[0].lower()


@dataclass(slots=True)
class Ticket:
    """Facts are folded in whatever order they come; the outcome depends on their set alone."""

    ticket_id: UUID
    request: Request | None = None
    clocks: dict[str, Timed] = field(default_factory=dict)
    """As accepted, or as sla-monitor's records say; by what tells these apart."""
    due_at: datetime | None = None
    """When the first of the open ones is due; None while nothing is."""
    status: LifecycleStatus = UNKNOWN
    reclassified: Reclassified | None = None
    traceparent: str | None = None
    """Of the request: what time or somebody's coming brings goes on with it."""
    specialist_id: str | None = None
    assigned_count: int = 0
    waiting_since: datetime | None = None
    pool: Pool | None = None
    """Where it waits, or waited last."""
    rank_at: datetime | None = None
    again_at: datetime | None = None
    """When less is asked for, though nothing else happens."""
    offer: Offer | None = None
    """The open one: it rings at somebody, and nobody has it."""
    offered_count: int = 0
    excluded_until: dict[str, datetime] = field(default_factory=dict)
    """Who is passed over, and until when: they declined it, or let it ring."""
    declined_by: frozenset[str] = frozenset()
    """Those of them who said no, or gave it back."""
    rounds: int = 0
    """How often it waited to ring again, since a specialist had it last."""
    rings_at: datetime | None = None
    """Not before then does it ring again at who is set aside."""
    hand_back_at: datetime | None = None
    """When it leaves somebody who has gone, unless they come back."""
    pinned_to: str | None = None
    """Whom a lead wants to have it, and nobody else."""
    confirmed: Severity | None = None
    """The severity that a specialist found right."""
    answered_by: str | None = None
    """Who had it when it was answered last: a reply of the customer brings it back to them."""
    held_until: datetime | None = None
    """It came back, and is given out once sla-monitor says when it is due, or by then."""
    joined_to: UUID | None = None
    """The ticket whose call answers this one as well: nobody need be found for it."""

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
    def next_clock(self) -> Timed | None:
        """The open clock that is due first; where none is due, one that is paused."""
        return first_due_clock(self.clocks.values(), self.status.state, self.status.answered_at)

    @property
    def promise(self) -> PromiseKind | None:
        """What is due first, or paused; None where nothing is promised."""
        clock = self.next_clock
        return None if clock is None else clock.kind

    @property
    def call_due_at(self) -> datetime | None:
        """When the call is due that was asked for, whatever became of it since."""
        asked = (c for c in self.clocks.values() if c.kind not in _LATER)
        return min((c.due_at for c in asked if c.due_at is not None), default=None)

    @property
    def severity(self) -> Severity:
        """The severity as corrected."""
        return self.reclassified.severity if self.reclassified else self.terms.severity

    @property
    def promise_class(self) -> PromiseClass:
        """The class of what is due first."""
        clock = self.next_clock
        return "objective" if clock is None else clock.promise_class

    @property
    def needs_specialist(self) -> bool:
        """Accepted, on its own, and nothing ended the work since it last came back."""
        return self.request is not None and self.joined_to is None and not self.status.released

    @property
    def waits(self) -> bool:
        """Needs a specialist, has none and rings at none."""
        return (
            self.current_specialist_id is None and self.needs_specialist and self.held_until is None
        )

    @property
    def awaits_clock(self) -> bool:
        """It came back, and sla-monitor will say when it is due: a clock starts, or runs on."""
        if self.status.answered_at is None:
            return bool(self.clocks)
        if self.status.asked_at is None or "next_response" not in self.clocks:
            return "resolution" in self.clocks
        return not any(self._is_of_reply(clock) for clock in self.clocks.values())

    def _is_of_reply(self, clock: Timed) -> bool:
        asked_at, started_at = self.status.asked_at, clock.started_at
        is_later = asked_at is not None and started_at is not None and asked_at <= started_at
        return clock.kind == "next_response" and is_later

    @property
    def current_specialist_id(self) -> str | None:
        """Name who has it, or at whom it rings."""
        return self.specialist_id if self.offer is None else self.offer.specialist_id

    @property
    def wakes_at(self) -> datetime | None:
        """Say when time alone changes what is to do: a lease, a grace, a setting aside, a step."""
        if self.offer is not None:
            return self.offer.lease_ends_at
        if self.specialist_id is not None:
            return self.hand_back_at
        if not self.needs_specialist:
            return None
        ends = [*self.excluded_until.values(), self.again_at, self.held_until, self.rings_at]
        return min((at for at in ends if at is not None), default=None)

    def drop_expired_exclusions(self, now: datetime) -> None:
        """Pass nobody over any more whose time is up."""
        self.excluded_until = {
            who: until for who, until in self.excluded_until.items() if until > now
        }
        self.declined_by &= self.excluded_until.keys()
        if self.rings_at is not None and self.rings_at <= now:
            self.rings_at, self.rounds = None, self.rounds + 1

    def begin_round(self, specialist_id: str) -> None:
        """Let it ring anew at who was set aside: at those who were silent; if need be, at all."""
        if specialist_id in self.declined_by:
            self.excluded_until, self.declined_by = {}, frozenset()
        elif specialist_id in self.excluded_until:
            self.excluded_until = {who: self.excluded_until[who] for who in self.declined_by}

    def update_queue_place(self, rules: MatchingRules, now: datetime) -> Pool:
        """Find its place in the order of work, its pool, and when it will have another."""
        terms = self.terms
        skills = rules.skills_for(
            channel=terms.channel,
            severity=self.severity,
            role=terms.role,
            account_id=terms.account_id,
        )
        since, due = self._span
        step = rules.step(since, due, now)
        self.pool = Pool(terms.channel, base_language(terms.language), step, skills)
        self.rank_at = rules.rank_at(since, due, self.promise_class, now)
        self.again_at = rules.again_at(since, due, now)
        return self.pool

    @property
    def _span(self) -> tuple[datetime, datetime]:
        """The time that work on it has, by which it takes its turn."""
        clock = self.next_clock
        if clock is None:
            since = self.terms.create_date
            return since, since + _UNPROMISED_AFTER
        since = clock.started_at or self.terms.create_date
        return since, clock.due_at or since + _PAUSED_AFTER

    def apply(self, envelope: Envelope[Event]) -> None:
        """Fold one fact in."""
        match envelope.event:
            case TicketAccepted() as event:
                self._accept(event, envelope.time)
                self.traceparent = self.traceparent or envelope.traceparent
            case TicketReclassified() | SeverityReclassified() as event:
                correction = Reclassified(envelope.time, envelope.id, event.severity)
                self.reclassified = max(self.reclassified or correction, correction)
            case ClockFact() as event:
                key = event.discriminator
                self.clocks[key] = follow(self.clocks.get(key), event, envelope.time)
            case _:
                pass
        if (fact := fact_of(envelope)).kind != "other":
            self.status = lifecycle_status_after(self.status, fact)
        clock = self.next_clock
        self.due_at = None if clock is None else clock.due_at

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
        for key, clock in as_accepted(event, create_date).items():
            known = self.clocks.get(key, clock)
            target_s = known.target_s or clock.target_s
            started_at = known.started_at or clock.started_at
            self.clocks[key] = known._replace(started_at=started_at, target_s=target_s)


def first_due_clock(
    clocks: Iterable[Timed], state: LifecycleState, answered_at: datetime | None
) -> Timed | None:
    """Find the open clock that is due first; where none is due, one that is paused.

    What is timed may be done before the clock's record says so: the ticket's facts show it.
    """

    def is_met(clock: Timed) -> bool:
        if clock.kind == "resolution":
            return state in ("resolved", "closed")
        return answered_at is not None and (clock.started_at or answered_at) <= answered_at

    return due_first(clock for clock in clocks if not is_met(clock))


def release_cause(fact: Kind) -> Release:
    """Name what ended the work."""
    match fact:
        case "responded" | "reached" | "resolved":
            return fact
        case _:
            return "closed"
