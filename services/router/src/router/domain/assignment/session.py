"""Applies events, timers and changes of availability to tickets and roster, one after another.

After each of them, no ticket waits that a specialist could take. Because events are applied one
by one, the announced events do not depend on the size of the batches.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from router.domain.assignment.assignments import Assignments, FreedTicket
from router.domain.assignment.dispatcher import Dispatcher
from router.domain.assignment.state import AssignmentState
from router.domain.matching import Pool
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from router.domain.specialist import (
    CHANNELS,
    Away,
    Specialist,
    listed_specialist,
    removed_specialist,
)
from router.domain.ticket import FACTS, Ticket, release_cause
from shared.events import (
    ClockCancelled,
    ClockFact,
    Envelope,
    Event,
    Presence,
    SpecialistListed,
    SpecialistRemoved,
)
from shared.rosters import Shifts
from shared.tickets import kind_of

__all__ = ["AssignmentSession"]

_ALLOCATED_MAX: Final = 500
"""After this many allocations in one transaction, the shifts of newly listed specialists start in
the next one, so that a transaction stays short enough to keep the router's partitions."""

_CLOCK_WITHIN: Final = timedelta(seconds=5)
"""How long a ticket is held for its new due time after a reply: sla-monitor may be down."""


class AssignmentSession:
    """The decisions of one transaction."""

    def __init__(
        self, roster: Roster, tickets: Iterable[Ticket], now: datetime, rules: OfferRules
    ) -> None:
        self.state = AssignmentState(roster, rules, now)
        self.assignments = Assignments(self.state)
        self.dispatcher = Dispatcher(self.state, self.assignments)
        roster.index.ring_on(frozenset(rules.rings))
        for ticket in tickets:
            self.dispatcher.add(ticket)

    def estimate_allocations(
        self, envelopes: Sequence[Envelope[Event]], specialist_ids: Iterable[str] = ()
    ) -> Counter[Pool]:
        """Estimate for how many waiting tickets of each pool these events may free room.

        ``specialist_ids`` are the specialists whose presence changes.
        """
        roster, now = self.state.roster, self.state.now
        estimate: Counter[Pool] = Counter()
        for ticket in self.state.tickets.values():
            holder = (
                roster.get(ticket.current_specialist_id) if ticket.current_specialist_id else None
            )
            estimate.update(roster.pools_of(holder) if holder else ())
        reporting = [one for name in specialist_ids if (one := roster.get(name)) is not None]
        for specialist in (*roster.due_batch(now), *reporting):
            estimate.update(
                {pool: specialist.room(pool.channel) for pool in roster.pools_of(specialist)}
            )
        for event in (envelope.event for envelope in envelopes):
            if isinstance(event, SpecialistListed):
                new = listed_specialist(event, now)
                estimate.update({p: new.serves[p.channel] for p in roster.pools_of(new)})
        return estimate

    def wake(self, shifts: Mapping[str, Shifts], due: Collection[UUID] = ()) -> None:
        """Apply all timers that are due: shifts, presence, leases, graces, holds and relaxations.

        Args:
            shifts: shifts of the specialists whose shift begins or ends.
            due: tickets whose timer is known to be due.
        """
        state, tickets = self.state, self.state.tickets
        freed: list[FreedTicket] = []
        changed = [
            self._wake_specialist(known, shifts) for known in state.roster.due_batch(state.now)
        ]
        held: defaultdict[str | None, list[Ticket]] = defaultdict(list)
        for ticket in tickets.values():
            held[ticket.current_specialist_id].append(ticket)
        for specialist in changed:
            freed += self._free_unavailable(specialist, held[specialist.specialist_id])
        state.touched.update(tickets.keys() & due)
        woken = [t for t in tickets.values() if t.wakes_at and t.wakes_at <= state.now]
        late = [t for t in woken if t.held_until is not None and t.held_until <= state.now]
        for ticket in woken:
            freed += self._wake_ticket(ticket)
        for name in sorted(state.availability_changed):
            freed += self._free_unavailable(state.specialist(name), self._tickets_with(name))
        pools = {pool for one in changed for pool in state.roster.pools_of(one)}
        self.reassign(freed, pools, woken)
        for ticket in late:
            self._end_hold(ticket, uuid5(ticket.ticket_id, f"clock/{state.now.isoformat()}"))

    def apply(self, envelope: Envelope[Event]) -> None:
        """Apply one event, then allocate waiting tickets to the free room."""
        match envelope.event:
            case SpecialistListed() as event:
                self._replace_specialist(listed_specialist(event, envelope.time))
            case SpecialistRemoved() as event:
                self._replace_specialist(removed_specialist(event.specialist_id, envelope.time))
            case ClockFact() as event:
                self._apply_clock(event.ticket_id, envelope)
            case event if isinstance(event, FACTS):
                self.apply_fact(event.ticket_id, envelope)
            case _:
                pass

    def apply_fact(self, ticket_id: UUID, envelope: Envelope[Event]) -> None:
        """Apply a fact to a ticket, and queue or release the ticket if its need has changed."""
        ticket = self._touch(ticket_id)
        self.state.continue_trace(ticket_id, envelope.traceparent)
        needed, is_new = ticket.needs_specialist, ticket.request is None
        ticket.apply(envelope)
        if ticket.needs_specialist:
            if not needed:
                ticket.waiting_since = envelope.time
                waits_for_clock = not is_new and ticket.awaits_clock
                ticket.held_until = self.state.now + _CLOCK_WITHIN if waits_for_clock else None
            self.dispatcher.enqueue_and_match(ticket)
            if not needed:
                self.dispatcher.announce_waiting(ticket, envelope.id)
        elif ticket.current_specialist_id is not None:
            cause = release_cause(kind_of(envelope.event))
            self.reassign([self.assignments.release(ticket, cause, envelope.id)])

    def set_joined(self, ticket_id: UUID, leader: UUID | None) -> None:
        """Join a ticket to the ``leader`` whose call answers both, or (None) separate it again."""
        ticket = self._touch(ticket_id)
        ticket.joined_to = leader
        if ticket.waits:
            ticket.waiting_since = self.state.now
            self.dispatcher.enqueue_and_match(ticket)
            cause = uuid5(ticket_id, f"rides/{self.state.now.isoformat()}")
            self.dispatcher.announce_waiting(ticket, cause)

    def reassign(
        self,
        freed: Sequence[FreedTicket],
        pools: Collection[Pool] = (),
        woken: Iterable[Ticket] = (),
    ) -> None:
        """Queue the freed tickets that still need a specialist, and allocate the freed room.

        Args:
            freed: tickets that a specialist no longer has.
            pools: pools in which further changes may allow allocations.
            woken: tickets whose timer may allow allocations.
        """
        dispatcher = self.dispatcher
        freed_tickets = (one.ticket for one in freed)
        waiting = {t.ticket_id: t for t in (*freed_tickets, *woken) if t.waits}.values()
        for ticket in waiting:
            dispatcher.enqueue(ticket)
        dispatcher.match_pools(pools)
        for one in freed:
            dispatcher.match_specialist(one.specialist_id)
        for ticket in sorted(waiting, key=lambda ticket: ticket.key):
            dispatcher.match_ticket(ticket)
        for one in freed:
            dispatcher.announce_waiting(one.ticket, one.cause)

    def set_presence(
        self, specialist_id: str, presence: Presence | None, until: datetime | None
    ) -> Specialist:
        """Record the presence that a specialist reports; return the specialist."""
        self.state.presence_reported.add(specialist_id)
        return self._put_presence(specialist_id, presence, until)

    def set_away(self, specialist_id: str, *, away: Away | None) -> Specialist:
        """Set or end being away, and set the unanswered offers to 0; return the specialist."""
        specialist = self.state.specialist(specialist_id).copy()
        specialist.away, specialist.unanswered = away, 0
        self.state.roster.put(specialist)
        self.state.availability_changed.add(specialist_id)
        return specialist

    def end_exclusions(self, specialist_id: str) -> None:
        """End a returned specialist's exclusions from tickets whose offers they did not answer."""
        for ticket in self.state.tickets.values():
            unanswered = ticket.excluded_until.keys() - ticket.declined_by
            if ticket.waits and specialist_id in unanswered:
                ticket.excluded_until = {
                    w: t for w, t in ticket.excluded_until.items() if w != specialist_id
                }
                self.state.touched.add(ticket.ticket_id)

    def reassign_after_availability_change(
        self, specialist: Specialist, pools: Collection[Pool] = ()
    ) -> None:
        """Free the tickets that a specialist cannot keep, and allocate waiting tickets to them.

        ``pools`` are further pools in which tickets may be allocated now.
        """
        held = self._tickets_with(specialist.specialist_id)
        freed = self._free_unavailable(specialist, held)
        self.reassign(freed, {*self.state.roster.pools_of(specialist), *pools})

    def _touch(self, ticket_id: UUID) -> Ticket:
        """Return a ticket, created if unknown, and mark it to be saved."""
        self.state.touched.add(ticket_id)
        return self.state.tickets.setdefault(ticket_id, Ticket(ticket_id))

    def _tickets_with(self, specialist_id: str) -> list[Ticket]:
        return [t for t in self.state.tickets.values() if t.current_specialist_id == specialist_id]

    def _apply_clock(self, ticket_id: UUID, envelope: Envelope[Event]) -> None:
        """Apply a clock's event, by which the ticket may get another place in its queue.

        If the ticket was held for this event after a reply, it is allocated now.
        """
        ticket = self.state.tickets.setdefault(ticket_id, Ticket(ticket_id))
        self.state.continue_trace(ticket_id, envelope.traceparent)
        clocks, next_clock, held_until = {**ticket.clocks}, ticket.next_clock, ticket.held_until
        ticket.apply(envelope)
        if ticket.clocks != clocks:
            self.state.touched.add(ticket_id)
        if held_until is not None and _is_awaited(ticket, envelope.event):
            self._end_hold(ticket, envelope.id)
        elif ticket.next_clock != next_clock:
            self.dispatcher.enqueue_and_match(ticket)

    def _end_hold(self, ticket: Ticket, cause: UUID) -> None:
        ticket.held_until = None
        self.state.touched.add(ticket.ticket_id)
        self.dispatcher.enqueue_and_match(ticket)
        self.dispatcher.announce_waiting(ticket, cause)

    def _free_unavailable(
        self, specialist: Specialist, held: Iterable[Ticket]
    ) -> list[FreedTicket]:
        """Free those tickets that a specialist cannot keep.

        Offers are withdrawn at once unless the specialist is available; assigned tickets are handed
        back after the grace of their channel.
        """
        freed = []
        for ticket in sorted(held, key=lambda ticket: ticket.key):
            if ticket.offer is None:
                freed += self._hand_back_after_grace(ticket, specialist)
            elif not specialist.available:
                cause = specialist.absence or "away"
                freed.append(self.assignments.withdraw(ticket, cause))
        return freed

    def _hand_back_after_grace(self, ticket: Ticket, specialist: Specialist) -> list[FreedTicket]:
        """Hand an absent specialist's ticket back after the grace; until then, set its timer."""
        state, absence, at = self.state, specialist.absence, None
        if absence is not None:
            grace = state.rules.grace(absence, ticket.terms.channel)
            ends = [state.now + grace] if grace is not None else []
            at = min([*ends, *([ticket.hand_back_at] if ticket.hand_back_at else [])], default=None)
            if at is not None and at <= state.now:
                return [self.assignments.hand_back(ticket, absence)]
        if ticket.hand_back_at != at:
            ticket.hand_back_at = at
            state.touched.add(ticket.ticket_id)
        return []

    def _wake_specialist(self, known: Specialist, shifts: Mapping[str, Shifts]) -> Specialist:
        state = self.state
        if known.presence_until is not None and known.presence_until <= state.now:
            state.presence_lapsed[known.specialist_id] = known.presence_until
            known = self._put_presence(known.specialist_id, "offline", None)
        if known.turns_at is None or known.turns_at > state.now:
            return known
        specialist = known.copy()
        specialist.shifts = shifts.get(specialist.specialist_id, specialist.shifts)
        specialist.update_shift(state.now)
        state.roster.put(specialist)
        state.shift_changed[specialist.specialist_id] = specialist
        return specialist

    def _wake_ticket(self, ticket: Ticket) -> list[FreedTicket]:
        self.state.touched.add(ticket.ticket_id)
        if ticket.offer is not None:
            return [self.assignments.expire(ticket)]
        if ticket.specialist_id is not None:
            specialist = self.state.specialist(ticket.specialist_id)
            return [self.assignments.hand_back(ticket, specialist.absence or "offline")]
        return []

    def _put_presence(
        self, specialist_id: str, presence: Presence | None, until: datetime | None
    ) -> Specialist:
        specialist = self.state.specialist(specialist_id).copy()
        specialist.reported_presence, specialist.presence_until = presence, until
        self.state.roster.put(specialist)
        return specialist

    def _replace_specialist(self, specialist: Specialist) -> None:
        """Replace a specialist's roster entry, unless the known one is newer."""
        state, roster = self.state, self.state.roster
        known = roster.get(specialist.specialist_id)
        if known is not None and known.listed_at > specialist.listed_at:
            return
        if state.allocated < _ALLOCATED_MAX:
            specialist.update_shift(state.now)
        else:
            specialist.on_shift = known is not None and known.on_shift
            specialist.turns_at = state.now
        for channel in CHANNELS:
            state.keep_load_before(known or specialist, channel, new=known is None)
        served = roster.pools_of(known) if known is not None else ()
        if known is not None:
            specialist.load, specialist.last_at = {**known.load}, {**known.last_at}
            specialist.reported_presence, specialist.presence_until = (
                known.reported_presence,
                known.presence_until,
            )
            specialist.away, specialist.unanswered = known.away, known.unanswered
        groups = roster.index.version
        roster.put(specialist)
        if specialist.removed and (
            specialist.reported_presence or specialist.away or specialist.unanswered
        ):
            self.set_away(specialist.specialist_id, away=None)
            specialist = self.set_presence(specialist.specialist_id, None, None)
        state.listed[specialist.specialist_id] = specialist
        regrouped = roster.index.version != groups
        self.reassign_after_availability_change(specialist, roster.pools if regrouped else served)


def _is_awaited(ticket: Ticket, event: Event) -> bool:
    """Return whether this is the event for which a ticket is held after a reply."""
    if isinstance(event, ClockCancelled) or not isinstance(event, ClockFact):
        return False
    if ticket.status.came_back and "next_response" in ticket.clocks:
        return event.kind == "next_response"
    return True
