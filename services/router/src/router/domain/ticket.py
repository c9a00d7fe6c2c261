"""A ticket in router: its facts, received in any order, its queue place and its specialist."""

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
from shared.tickets import FactKind, fact_of
from shared.tickets.due import (
    DUE_TIME_CHANGES,
    ClockView,
    clocks_as_accepted,
    earliest_due,
    update_clock,
)

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
"""The order of work: the earliest `rank_at` first, ties by ticket id."""

_UNPROMISED_AFTER: Final = timedelta(days=7)
"""The assumed time limit of a ticket without a promise: it comes after the others, but it comes."""
_PAUSED_AFTER: Final = timedelta(days=3650)
"""The assumed time limit while a clock is paused: such work comes last."""

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
    *DUE_TIME_CHANGES,
)
"""The events that matter here; no other changes whether a ticket needs a specialist."""


class Request(NamedTuple):
    """The content of the accepted request."""

    account_id: str
    role: Role
    channel: Channel
    severity: Severity
    language: str
    time_zone: str
    create_date: datetime


class Reclassified(NamedTuple):
    """A correction of the severity. The latest counts; at equal times, the greater id."""

    at: datetime
    by: UUID
    severity: Severity


def base_language(language: str) -> str:
    """Return the language without its region, because specialists of `de` can serve `de-AT`."""
    return language.partition("-")[0].lower()


@dataclass(slots=True)
class Ticket:
    """A ticket; its state depends on the set of its facts, not on the order of their arrival."""

    ticket_id: UUID
    request: Request | None = None
    clocks: dict[str, ClockView] = field(default_factory=dict)
    """Open and closed clocks by discriminator, as accepted or as sla-monitor last reported them."""
    due_at: datetime | None = None
    """The earliest due time of the open clocks; None while no clock has one."""
    status: LifecycleStatus = UNKNOWN
    reclassified: Reclassified | None = None
    traceparent: str | None = None
    """The trace of the request: what a timer or a specialist causes later belongs to it."""
    specialist_id: str | None = None
    assigned_count: int = 0
    waiting_since: datetime | None = None
    pool: Pool | None = None
    """The pool in which it waits, or waited last."""
    rank_at: datetime | None = None
    again_at: datetime | None = None
    """When its requirements are relaxed next, without any event."""
    offer: Offer | None = None
    """The open offer: it rings at a specialist, but is not assigned."""
    offered_count: int = 0
    excluded_until: dict[str, datetime] = field(default_factory=dict)
    """The specialists who declined it or did not answer, and until when each is excluded."""
    declined_by: frozenset[str] = frozenset()
    """Those excluded specialists who declined it or handed it back."""
    rounds: int = 0
    """How often it waited to be offered again since it was last assigned."""
    rings_at: datetime | None = None
    """Excluded specialists are not offered it again before this time."""
    hand_back_at: datetime | None = None
    """When it is taken from an absent specialist, unless they return."""
    pinned_to: str | None = None
    """The only specialist who may get it, by a lead's decision."""
    confirmed: Severity | None = None
    """The severity that a specialist confirmed."""
    answered_by: str | None = None
    """Who had it when it was last answered: if the customer replies, it goes back to them."""
    held_until: datetime | None = None
    """After a reply it is not assigned before its new clock is known, or before this time."""
    joined_to: UUID | None = None
    """The ticket whose call answers this one too: it needs no specialist of its own."""

    @property
    def terms(self) -> Request:
        """The request of a ticket that is known to be accepted."""
        assert self.request is not None  # noqa: S101 - only accepted tickets get that far
        return self.request

    @property
    def key(self) -> Key:
        """Its place in the order of work; the lowest is first."""
        assert self.rank_at is not None  # noqa: S101 - as above
        return self.rank_at, self.ticket_id

    @property
    def next_clock(self) -> ClockView | None:
        """The open clock that is due first; if none has a due time, a paused one."""
        return first_due_clock(self.clocks.values(), self.status.state, self.status.answered_at)

    @property
    def promise(self) -> PromiseKind | None:
        """The promise of the next clock; None if nothing is promised."""
        clock = self.next_clock
        return None if clock is None else clock.kind

    @property
    def call_due_at(self) -> datetime | None:
        """When the requested call is due, even if it was made or cancelled meanwhile."""
        asked = (c for c in self.clocks.values() if c.kind not in _LATER)
        return min((c.due_at for c in asked if c.due_at is not None), default=None)

    @property
    def severity(self) -> Severity:
        """The severity after the latest correction."""
        return self.reclassified.severity if self.reclassified else self.terms.severity

    @property
    def promise_class(self) -> PromiseClass:
        """The class of the promise that is due first; `objective` if nothing is promised."""
        clock = self.next_clock
        return "objective" if clock is None else clock.promise_class

    @property
    def needs_specialist(self) -> bool:
        """It was accepted, is not joined to another ticket, and its work has not ended."""
        return self.request is not None and self.joined_to is None and not self.status.released

    @property
    def waits(self) -> bool:
        """It needs a specialist and is neither assigned, offered nor held."""
        return (
            self.current_specialist_id is None and self.needs_specialist and self.held_until is None
        )

    @property
    def awaits_clock(self) -> bool:
        """After a reply: whether sla-monitor is about to publish a started or resumed clock."""
        if self.status.answered_at is None:
            return bool(self.clocks)
        if self.status.asked_at is None or "next_response" not in self.clocks:
            return "resolution" in self.clocks
        return not any(self._is_of_reply(clock) for clock in self.clocks.values())

    def _is_of_reply(self, clock: ClockView) -> bool:
        asked_at, started_at = self.status.asked_at, clock.started_at
        is_later = asked_at is not None and started_at is not None and asked_at <= started_at
        return clock.kind == "next_response" and is_later

    @property
    def current_specialist_id(self) -> str | None:
        """The specialist to whom it is assigned or offered."""
        return self.specialist_id if self.offer is None else self.offer.specialist_id

    @property
    def wakes_at(self) -> datetime | None:
        """When time alone changes it: a lease, grace, exclusion or hold ends, or a need relaxes."""
        if self.offer is not None:
            return self.offer.lease_ends_at
        if self.specialist_id is not None:
            return self.hand_back_at
        if not self.needs_specialist:
            return None
        ends = [*self.excluded_until.values(), self.again_at, self.held_until, self.rings_at]
        return min((at for at in ends if at is not None), default=None)

    def drop_expired_exclusions(self, now: datetime) -> None:
        """Remove the exclusions that have ended; if the back-off has ended, count a round."""
        self.excluded_until = {
            who: until for who, until in self.excluded_until.items() if until > now
        }
        self.declined_by &= self.excluded_until.keys()
        if self.rings_at is not None and self.rings_at <= now:
            self.rings_at, self.rounds = None, self.rounds + 1

    def begin_round(self, specialist_id: str) -> None:
        """Begin a round if the ticket goes to a specialist who was excluded from it.

        All who did not answer an earlier offer may then get it again; if this specialist had
        declined it, all excluded specialists may.
        """
        if specialist_id in self.declined_by:
            self.excluded_until, self.declined_by = {}, frozenset()
        elif specialist_id in self.excluded_until:
            self.excluded_until = {who: self.excluded_until[who] for who in self.declined_by}

    def update_queue_place(self, rules: MatchingRules, now: datetime) -> Pool:
        """Set its pool, its place in the order of work and when these change; return the pool."""
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
        """The start and end of the time for the work, which determine its place in the order."""
        clock = self.next_clock
        if clock is None:
            since = self.terms.create_date
            return since, since + _UNPROMISED_AFTER
        since = clock.started_at or self.terms.create_date
        return since, clock.due_at or since + _PAUSED_AFTER

    def apply(self, envelope: Envelope[Event]) -> None:
        """Apply one fact."""
        match envelope.event:
            case TicketAccepted() as event:
                self._accept(event, envelope.time)
                self.traceparent = self.traceparent or envelope.traceparent
            case TicketReclassified() | SeverityReclassified() as event:
                correction = Reclassified(envelope.time, envelope.id, event.severity)
                self.reclassified = max(self.reclassified or correction, correction)
            case ClockFact() as event:
                key = event.discriminator
                self.clocks[key] = update_clock(self.clocks.get(key), event, envelope.time)
            case _:
                pass
        if (fact := fact_of(envelope)).kind != "other":
            self.status = lifecycle_status_after(self.status, fact)
        clock = self.next_clock
        self.due_at = None if clock is None else clock.due_at

    def _accept(self, event: TicketAccepted, create_date: datetime) -> None:
        """Store the request; a second one for the same ticket is ignored."""
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
        for key, clock in clocks_as_accepted(event, create_date).items():
            known = self.clocks.get(key, clock)
            target_s = known.target_s or clock.target_s
            started_at = known.started_at or clock.started_at
            self.clocks[key] = known._replace(started_at=started_at, target_s=target_s)


def first_due_clock(
    clocks: Iterable[ClockView], state: LifecycleState, answered_at: datetime | None
) -> ClockView | None:
    """Return the open clock that is due first; if none has a due time, a paused one.

    A clock that the ticket's facts show to be met is skipped, even before sla-monitor reports it.
    """

    def is_met(clock: ClockView) -> bool:
        if clock.kind == "resolution":
            return state in ("resolved", "closed")
        return answered_at is not None and (clock.started_at or answered_at) <= answered_at

    return earliest_due(clock for clock in clocks if not is_met(clock))


def release_cause(fact: FactKind) -> Release:
    """Return why the work on a ticket ended, given the fact that ended it."""
    match fact:
        case "responded" | "reached" | "resolved":
            return fact
        case _:
            return "closed"
