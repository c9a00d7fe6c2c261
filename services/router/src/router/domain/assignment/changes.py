"""In whose hands tickets are: they are offered, accepted, assigned, and taken back.

What is to be saved and announced is left on the object. Who waits next, the desk decides.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID, uuid5

from router.domain.matching_request import Acquaintance
from router.domain.offers.offer import Offer, State
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from router.domain.specialist import Specialist
from router.domain.ticket import Ticket, base
from shared.events import (
    Absence,
    AssignmentHandedBack,
    AssignmentReleased,
    Envelope,
    Event,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    Release,
    SpecialistSetAway,
    TicketAssigned,
    TicketDeclined,
    TicketEvent,
    TicketOffered,
)
from shared.sla.promises import Channel

__all__ = ["Back", "Before", "Hands"]

_SOURCE: Final = "router"
_NEVER: Final = datetime.max.replace(tzinfo=UTC)

type Before = tuple[int, int]
"""Capacity and load of somebody on a channel, as they were loaded."""


@dataclass(frozen=True, slots=True)
class Back:
    """A ticket that has left somebody, and the cause of what follows."""

    ticket: Ticket
    specialist_id: str
    cause: UUID


class Hands:
    """The tickets one transaction knows of, and who has them."""

    def __init__(self, roster: Roster, rules: OfferRules, now: datetime) -> None:
        self.roster = roster
        self.rules = rules
        self.now = now
        self.tickets: dict[UUID, Ticket] = {}
        self.touched: set[UUID] = set()
        self.offers: dict[UUID, Offer] = {}
        self.before: dict[tuple[str, Channel], Before] = {}
        self.acquaintances: dict[str, Acquaintance] = {}
        """Who had an account last, and since when."""
        self.answering: set[str] = set()
        """The specialists of whom it changed whether they answer: away, or offers unanswered."""
        self.met: set[str] = set()
        """The accounts of which that is new."""
        self.announced: list[Envelope[Event]] = []
        self.given = 0
        """How many were given to somebody."""
        self.traces: dict[UUID, str] = {}
        """Of the records and acts in hand, by their tickets; else the one of the request counts."""
        roster.ranks.ring_on(frozenset(rules.rings))

    def give(self, ticket: Ticket, specialist: Specialist) -> UUID:
        """Offer a ticket, or assign it, as its channel's rule says; the cause it has comes back."""
        self.given += 1
        ticket.begin_round(specialist.specialist_id)
        if ticket.terms.channel in self.rules.rings:
            return self._offer(ticket, specialist)
        return self.assign(ticket, specialist)

    def assign(
        self, ticket: Ticket, specialist: Specialist, *, accepted: Offer | None = None
    ) -> UUID:
        """Let somebody have a ticket; who accepted an offer has the room already.

        Now they know its account. The cause of what is told comes back.
        """
        terms = ticket.terms
        ticket.specialist_id = specialist.specialist_id
        ticket.hand_back_at = ticket.rings_at = ticket.held_until = None
        ticket.rounds = 0
        ticket.assigned_count += 1
        self.touched.add(ticket.ticket_id)
        if accepted is None:
            self._shift(specialist, terms.channel, 1)
        self.acquaintances[terms.account_id] = Acquaintance(specialist.specialist_id, self.now)
        self.met.add(terms.account_id)
        event = TicketAssigned(
            ticket_id=ticket.ticket_id,
            specialist_id=specialist.specialist_id,
            account_id=terms.account_id,
            channel=terms.channel,
            severity=ticket.severity,
            language=terms.language,
            english_instead=_english_instead(ticket, specialist),
            due_at=ticket.due_at,
            waited_ms=self._waited_ms(ticket),
            offer_id=None if accepted is None else accepted.offer_id,
            promise=ticket.promise,
            after_reply=ticket.status.came_back,
        )
        cause = uuid5(ticket.ticket_id, f"assigned/{ticket.assigned_count}")
        self.announce(cause, event)
        return cause

    def accept(self, ticket: Ticket) -> None:
        """Turn the open offer of a ticket into an assignment."""
        offer, specialist = self._settle(ticket, "accepted")
        self._answers(specialist)
        event = OfferAccepted(
            ticket_id=ticket.ticket_id,
            specialist_id=offer.specialist_id,
            offer_id=offer.offer_id,
        )
        self.announce(offer.offer_id, event)
        self.assign(ticket, specialist, accepted=offer)

    def decline(self, ticket: Ticket, reason: str) -> Back:
        """Take a ticket from whoever has it, or is offered it, and does not want it."""
        name = ticket.with_whom
        assert name is not None  # noqa: S101 - asked only of tickets held or offered
        self._set_aside(ticket, name, self.rules.set_aside_s.declined, said_no=True)
        if ticket.offer is None:
            event = TicketDeclined(ticket_id=ticket.ticket_id, specialist_id=name, reason=reason)
            return self._take_back(ticket, event, "declined")
        offer, specialist = self._settle(ticket, "declined")
        self._answers(specialist)
        declined = OfferDeclined(
            ticket_id=ticket.ticket_id, specialist_id=name, offer_id=offer.offer_id, reason=reason
        )
        return self._offer_ended(ticket, offer, declined)

    def expire(self, ticket: Ticket) -> Back:
        """End the lease of who said nothing; too many in a row, and they are away."""
        offer, specialist = self._settle(ticket, "expired")
        self._set_aside(ticket, offer.specialist_id, self.rules.set_aside_s.silent, said_no=False)
        event = OfferExpired(
            ticket_id=ticket.ticket_id, specialist_id=offer.specialist_id, offer_id=offer.offer_id
        )
        back = self._offer_ended(ticket, offer, event)
        self._rang_out(specialist, offer)
        return back

    def withdraw(
        self, ticket: Ticket, cause: Release | Absence | Literal["away", "moved", "pinned"]
    ) -> Back:
        """Take the open offer of a ticket back."""
        offer, _ = self._settle(ticket, "withdrawn")
        event = OfferWithdrawn(
            ticket_id=ticket.ticket_id,
            specialist_id=offer.specialist_id,
            offer_id=offer.offer_id,
            cause=cause,
        )
        return self._offer_ended(ticket, offer, event)

    def hand_back(
        self,
        ticket: Ticket,
        cause: Absence | Literal["by_hand", "moved"],
        *,
        by: str | None = None,
        reason: str | None = None,
    ) -> Back:
        """Take a ticket from who has it, for a cause that is not their dislike."""
        name = ticket.specialist_id
        assert name is not None  # noqa: S101 - asked only of tickets held
        if cause == "by_hand":
            self._set_aside(ticket, name, self.rules.set_aside_s.handed_back, said_no=True)
        event = AssignmentHandedBack(
            ticket_id=ticket.ticket_id, specialist_id=name, cause=cause, by=by, reason=reason
        )
        return self._take_back(ticket, event, "handed_back")

    def release(self, ticket: Ticket, cause: Release, cause_id: UUID) -> Back:
        """Free who has a ticket, or is offered it, whose work has ended."""
        if ticket.offer is not None:
            return self.withdraw(ticket, cause)
        specialist_id = ticket.answered_by = self._take_from(ticket)
        event = AssignmentReleased(
            ticket_id=ticket.ticket_id, specialist_id=specialist_id, cause=cause
        )
        self.announce(cause_id, event)
        return Back(ticket, specialist_id, cause_id)

    def note(self, specialist: Specialist, channel: Channel, *, new: bool = False) -> None:
        """Remember what was loaded, for the save to be sure that nobody else changed it."""
        was = (specialist.capacity.get(channel, 0), specialist.load.get(channel, 0))
        self.before.setdefault((specialist.specialist_id, channel), (0, 0) if new else was)

    def go_on(self, ticket_id: UUID, traceparent: str | None) -> None:
        """Let what becomes of a ticket now belong to a trace; none changes nothing."""
        if traceparent is not None:
            self.traces[ticket_id] = traceparent

    def announce(self, cause: UUID, event: TicketEvent) -> None:
        """Leave a fact to be told."""
        trace = self.traces.get(event.ticket_id) or self.tickets[event.ticket_id].traceparent
        self.announced.append(
            Envelope.caused_by(cause, event, source=_SOURCE, time=self.now, traceparent=trace)
        )

    def _offer(self, ticket: Ticket, specialist: Specialist) -> UUID:
        terms = ticket.terms
        due_at = ticket.due_at or _NEVER
        lease = self.rules.rings[terms.channel].lease(now=self.now, due_at=due_at)
        ticket.offered_count += 1
        offer = Offer(
            offer_id=uuid5(ticket.ticket_id, f"offered/{ticket.offered_count}"),
            ticket_id=ticket.ticket_id,
            specialist_id=specialist.specialist_id,
            offered_at=self.now,
            lease_ends_at=self.now + lease,
        )
        ticket.offer = self.offers[offer.offer_id] = offer
        self.touched.add(ticket.ticket_id)
        self._shift(specialist, terms.channel, 1)
        event = TicketOffered(
            ticket_id=ticket.ticket_id,
            specialist_id=specialist.specialist_id,
            offer_id=offer.offer_id,
            account_id=terms.account_id,
            channel=terms.channel,
            severity=ticket.severity,
            language=terms.language,
            english_instead=_english_instead(ticket, specialist),
            due_at=ticket.due_at,
            lease_ends_at=offer.lease_ends_at,
            waited_ms=self._waited_ms(ticket),
            promise=ticket.promise,
        )
        self.announce(offer.offer_id, event)
        return offer.offer_id

    def _settle(self, ticket: Ticket, state: State) -> tuple[Offer, Specialist]:
        """End the open offer; its room is free again, unless it was accepted."""
        assert ticket.offer is not None  # noqa: S101 - asked only of tickets offered
        offer = replace(ticket.offer, state=state, settled_at=self.now)
        specialist = self.somebody(offer.specialist_id)
        self.offers[offer.offer_id] = offer
        ticket.offer = None
        self.touched.add(ticket.ticket_id)
        if state != "accepted":
            self._shift(specialist, ticket.terms.channel, -1)
        return offer, specialist

    def _answers(self, specialist: Specialist) -> None:
        """Count from nought again: who answers an offer is there."""
        if specialist.unanswered:
            self.roster.change(specialist).unanswered = 0
            self.answering.add(specialist.specialist_id)

    def _rang_out(self, specialist: Specialist, offer: Offer) -> None:
        """Count an offer that nobody answered. Who is away by that is looked at again at once."""
        most = self.rules.away_after
        changed = specialist.copy()
        changed.unanswered += 1
        if changed.away is None and most is not None and changed.unanswered >= most:
            changed.away, changed.turns_at = "unanswered", self.now
            event = SpecialistSetAway(
                ticket_id=offer.ticket_id,
                specialist_id=changed.specialist_id,
                unanswered=changed.unanswered,
            )
            self.announce(offer.offer_id, event)
        self.roster.put(changed)
        self.answering.add(changed.specialist_id)

    def _offer_ended(self, ticket: Ticket, offer: Offer, event: TicketEvent) -> Back:
        self.announce(offer.offer_id, event)
        return Back(ticket, offer.specialist_id, offer.offer_id)

    def _take_back(self, ticket: Ticket, event: TicketEvent, what: str) -> Back:
        specialist_id = self._take_from(ticket)
        ticket.waiting_since = self.now
        cause = uuid5(ticket.ticket_id, f"{what}/{specialist_id}/{ticket.assigned_count}")
        self.announce(cause, event)
        return Back(ticket, specialist_id, cause)

    def _take_from(self, ticket: Ticket) -> str:
        """Free the room of whoever has the ticket; their id comes back."""
        assert ticket.specialist_id is not None  # noqa: S101 - asked only of tickets held
        specialist = self.somebody(ticket.specialist_id)
        ticket.specialist_id = ticket.hand_back_at = None
        self.touched.add(ticket.ticket_id)
        self._shift(specialist, ticket.terms.channel, -1)
        return specialist.specialist_id

    def _set_aside(
        self, ticket: Ticket, specialist_id: str, seconds: float, *, said_no: bool
    ) -> None:
        until = self.now + timedelta(seconds=seconds)
        if (ring := self.rules.rings.get(ticket.terms.channel)) is not None:
            shortest, due_at = timedelta(seconds=ring.minimum_s), ticket.due_at
            ticket.rings_at = self.rules.no_answer_s.ends_at(
                now=self.now,
                rounds=ticket.rounds,
                last_chance=None if due_at is None else due_at - shortest,
            )
            until = max(until, ticket.rings_at)
        ticket.set_aside = {**ticket.set_aside, specialist_id: until}
        if said_no:
            ticket.declined_by |= {specialist_id}

    def somebody(self, specialist_id: str) -> Specialist:
        """Find who has, or had, a ticket."""
        specialist = self.roster.get(specialist_id)
        assert specialist is not None  # noqa: S101 - the database holds the reference
        return specialist

    def _shift(self, specialist: Specialist, channel: Channel, by: int) -> None:
        self.note(specialist, channel)
        self.roster.change(specialist)
        specialist.load[channel] = specialist.load.get(channel, 0) + by
        if by > 0:
            specialist.last_at[channel] = self.now
        self.roster.rank(specialist)

    def _waited_ms(self, ticket: Ticket) -> int:
        waited = self.now - (ticket.waiting_since or ticket.terms.create_date)
        return max(0, waited // timedelta(milliseconds=1))


def _english_instead(ticket: Ticket, specialist: Specialist) -> bool:
    return base(ticket.terms.language) not in specialist.speaks
