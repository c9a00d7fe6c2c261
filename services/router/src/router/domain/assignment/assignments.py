"""Changes the specialist of a ticket: offer, assign, accept, decline, expire, withdraw and so on.

Each change updates ticket, offer and load, and announces an event. The dispatcher chooses the
next ticket and specialist.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from uuid import UUID, uuid5

from router.domain.assignment.state import AssignmentState
from router.domain.matching_request import AccountAffinity
from router.domain.offers.offer import Offer, OfferState
from router.domain.specialist import Specialist
from router.domain.ticket import Ticket, base_language
from shared.events import (
    Absence,
    AssignmentHandedBack,
    AssignmentReleased,
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

__all__ = ["Assignments", "FreedTicket"]

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FreedTicket:
    """A ticket that a specialist no longer has.

    The ids of the events that follow are derived from ``cause``.
    """

    ticket: Ticket
    specialist_id: str
    cause: UUID


class Assignments:
    """The changes of tickets and specialists in one transaction."""

    def __init__(self, state: AssignmentState) -> None:
        self._state = state
        self._roster = state.roster
        self._rules = state.rules
        self._now = state.now

    def allocate(self, ticket: Ticket, specialist: Specialist) -> UUID:
        """Offer a ticket if its channel rings, else assign it.

        Returns the id from which the ids of the events that follow are derived.
        """
        self._state.allocated += 1
        ticket.begin_round(specialist.specialist_id)
        if ticket.terms.channel in self._rules.rings:
            return self._offer(ticket, specialist)
        return self.assign(ticket, specialist)

    def assign(
        self, ticket: Ticket, specialist: Specialist, *, accepted: Offer | None = None
    ) -> UUID:
        """Assign a ticket; return the id from which the ids of the events that follow are derived.

        An ``accepted`` offer already counts in the specialist's load. The specialist becomes the
        account's affinity.
        """
        terms, state = ticket.terms, self._state
        ticket.specialist_id = specialist.specialist_id
        ticket.hand_back_at = ticket.rings_at = ticket.held_until = None
        ticket.rounds = 0
        ticket.assigned_count += 1
        state.touched.add(ticket.ticket_id)
        if accepted is None:
            self._change_load(specialist, terms.channel, 1)
        affinity = AccountAffinity(specialist.specialist_id, self._now)
        state.affinities[terms.account_id] = affinity
        state.affinity_changed.add(terms.account_id)
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
        state.announce(cause, event)
        return cause

    def accept(self, ticket: Ticket) -> None:
        """Turn the open offer of a ticket into an assignment."""
        offer, specialist = self._end_offer(ticket, "accepted")
        self._reset_unanswered(specialist)
        event = OfferAccepted(
            ticket_id=ticket.ticket_id,
            specialist_id=offer.specialist_id,
            offer_id=offer.offer_id,
        )
        self._state.announce(offer.offer_id, event)
        self.assign(ticket, specialist, accepted=offer)

    def decline(self, ticket: Ticket, reason: str) -> FreedTicket:
        """End the assignment or open offer of a ticket because the specialist declines it."""
        name = ticket.current_specialist_id
        assert name is not None  # noqa: S101 - called only for tickets assigned or offered
        self._exclude(ticket, name, self._rules.set_aside_s.declined, refused=True)
        if ticket.offer is None:
            event = TicketDeclined(ticket_id=ticket.ticket_id, specialist_id=name, reason=reason)
            return self._end_assignment(ticket, event, "declined")
        offer, specialist = self._end_offer(ticket, "declined")
        self._reset_unanswered(specialist)
        declined = OfferDeclined(
            ticket_id=ticket.ticket_id, specialist_id=name, offer_id=offer.offer_id, reason=reason
        )
        return self._announce_freed(ticket, offer, declined)

    def expire(self, ticket: Ticket) -> FreedTicket:
        """End an offer that was not answered; after too many in a row, set the specialist away."""
        offer, specialist = self._end_offer(ticket, "expired")
        self._exclude(ticket, offer.specialist_id, self._rules.set_aside_s.silent, refused=False)
        event = OfferExpired(
            ticket_id=ticket.ticket_id, specialist_id=offer.specialist_id, offer_id=offer.offer_id
        )
        freed = self._announce_freed(ticket, offer, event)
        self._count_unanswered(specialist, offer)
        return freed

    def withdraw(
        self, ticket: Ticket, cause: Release | Absence | Literal["away", "moved", "pinned"]
    ) -> FreedTicket:
        """End the open offer of a ticket for a cause other than the specialist's answer."""
        offer, _ = self._end_offer(ticket, "withdrawn")
        event = OfferWithdrawn(
            ticket_id=ticket.ticket_id,
            specialist_id=offer.specialist_id,
            offer_id=offer.offer_id,
            cause=cause,
        )
        return self._announce_freed(ticket, offer, event)

    def hand_back(
        self,
        ticket: Ticket,
        cause: Absence | Literal["by_hand", "moved"],
        *,
        by: str | None = None,
        reason: str | None = None,
    ) -> FreedTicket:
        """End the assignment of a ticket that still needs a specialist."""
        name = ticket.specialist_id
        assert name is not None  # noqa: S101 - called only for assigned tickets
        if cause == "by_hand":
            self._exclude(ticket, name, self._rules.set_aside_s.handed_back, refused=True)
        event = AssignmentHandedBack(
            ticket_id=ticket.ticket_id, specialist_id=name, cause=cause, by=by, reason=reason
        )
        return self._end_assignment(ticket, event, "handed_back")

    def release(self, ticket: Ticket, cause: Release, cause_id: UUID) -> FreedTicket:
        """End the assignment or open offer of a ticket that needs no specialist any more."""
        if ticket.offer is not None:
            return self.withdraw(ticket, cause)
        specialist_id = ticket.answered_by = self._unassign(ticket)
        event = AssignmentReleased(
            ticket_id=ticket.ticket_id, specialist_id=specialist_id, cause=cause
        )
        self._state.announce(cause_id, event)
        return FreedTicket(ticket, specialist_id, cause_id)

    def _offer(self, ticket: Ticket, specialist: Specialist) -> UUID:
        terms, state = ticket.terms, self._state
        due_at = ticket.due_at or _NEVER
        lease = self._rules.rings[terms.channel].lease(now=self._now, due_at=due_at)
        ticket.offered_count += 1
        offer = Offer(
            offer_id=uuid5(ticket.ticket_id, f"offered/{ticket.offered_count}"),
            ticket_id=ticket.ticket_id,
            specialist_id=specialist.specialist_id,
            offered_at=self._now,
            lease_ends_at=self._now + lease,
        )
        ticket.offer = state.offers[offer.offer_id] = offer
        state.touched.add(ticket.ticket_id)
        self._change_load(specialist, terms.channel, 1)
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
        state.announce(offer.offer_id, event)
        return offer.offer_id

    def _end_offer(self, ticket: Ticket, end: OfferState) -> tuple[Offer, Specialist]:
        """End the open offer; unless it was accepted, it no longer counts in the load."""
        assert ticket.offer is not None  # noqa: S101 - called only for offered tickets
        offer = replace(ticket.offer, state=end, settled_at=self._now)
        specialist = self._state.specialist(offer.specialist_id)
        self._state.offers[offer.offer_id] = offer
        ticket.offer = None
        self._state.touched.add(ticket.ticket_id)
        if end != "accepted":
            self._change_load(specialist, ticket.terms.channel, -1)
        return offer, specialist

    def _reset_unanswered(self, specialist: Specialist) -> None:
        if specialist.unanswered:
            self._roster.begin_change(specialist).unanswered = 0
            self._state.availability_changed.add(specialist.specialist_id)

    def _count_unanswered(self, specialist: Specialist, offer: Offer) -> None:
        """Count an unanswered offer; at the limit, set the specialist away.

        Their timer is then due at once, so that their other offers are withdrawn.
        """
        most = self._rules.away_after
        changed = specialist.copy()
        changed.unanswered += 1
        if changed.away is None and most is not None and changed.unanswered >= most:
            changed.away, changed.turns_at = "unanswered", self._now
            event = SpecialistSetAway(
                ticket_id=offer.ticket_id,
                specialist_id=changed.specialist_id,
                unanswered=changed.unanswered,
            )
            self._state.announce(offer.offer_id, event)
        self._roster.put(changed)
        self._state.availability_changed.add(changed.specialist_id)

    def _announce_freed(self, ticket: Ticket, offer: Offer, event: TicketEvent) -> FreedTicket:
        self._state.announce(offer.offer_id, event)
        return FreedTicket(ticket, offer.specialist_id, offer.offer_id)

    def _end_assignment(self, ticket: Ticket, event: TicketEvent, end: str) -> FreedTicket:
        specialist_id = self._unassign(ticket)
        ticket.waiting_since = self._now
        cause = uuid5(ticket.ticket_id, f"{end}/{specialist_id}/{ticket.assigned_count}")
        self._state.announce(cause, event)
        return FreedTicket(ticket, specialist_id, cause)

    def _unassign(self, ticket: Ticket) -> str:
        """End a ticket's assignment, also in the specialist's load; return the specialist's id."""
        assert ticket.specialist_id is not None  # noqa: S101 - called only for assigned tickets
        specialist = self._state.specialist(ticket.specialist_id)
        ticket.specialist_id = ticket.hand_back_at = None
        self._state.touched.add(ticket.ticket_id)
        self._change_load(specialist, ticket.terms.channel, -1)
        return specialist.specialist_id

    def _exclude(
        self, ticket: Ticket, specialist_id: str, seconds: float, *, refused: bool
    ) -> None:
        """Exclude a specialist from a ticket for ``seconds``.

        If the channel rings, they are excluded at least until the ticket's next offer round.
        """
        until = self._now + timedelta(seconds=seconds)
        if (ring := self._rules.rings.get(ticket.terms.channel)) is not None:
            shortest, due_at = timedelta(seconds=ring.minimum_s), ticket.due_at
            ticket.rings_at = self._rules.no_answer_s.ends_at(
                now=self._now,
                rounds=ticket.rounds,
                last_chance=None if due_at is None else due_at - shortest,
            )
            until = max(until, ticket.rings_at)
        ticket.excluded_until = {**ticket.excluded_until, specialist_id: until}
        if refused:
            ticket.declined_by |= {specialist_id}

    def _change_load(self, specialist: Specialist, channel: Channel, by: int) -> None:
        self._state.keep_load_before(specialist, channel)
        self._roster.begin_change(specialist)
        specialist.load[channel] = specialist.load.get(channel, 0) + by
        if by > 0:
            specialist.last_at[channel] = self._now
        self._roster.update_rank(specialist)

    def _waited_ms(self, ticket: Ticket) -> int:
        waited = self._now - (ticket.waiting_since or ticket.terms.create_date)
        return max(0, waited // timedelta(milliseconds=1))


def _english_instead(ticket: Ticket, specialist: Specialist) -> bool:
    return base_language(ticket.terms.language) not in specialist.speaks
