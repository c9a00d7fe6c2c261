"""Who gets which ticket: one record after another is applied to tickets, roster and queues.

After each record nobody waits whom somebody could take. Since records are applied one by one, in
memory, what is announced does not depend on how they were cut into batches.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from router.domain.assignment.changes import Back
from router.domain.assignment.selection import Choice
from router.domain.matching import Pool
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from router.domain.specialist import CHANNELS, Away, Specialist, left, listed
from router.domain.ticket import FACTS, Ticket, release_by
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

__all__ = ["Desk"]

_GIVEN_MAX: Final = 500
"""When one transaction has given so many, who is listed then turns in one after it: no decision
is so long that the router neither answers nor keeps its partitions."""

_CLOCK_WITHIN: Final = timedelta(seconds=5)
"""How long a ticket that came back is held for its due time: sla-monitor may be away."""


class Desk(Choice):
    """All that one transaction decides on. What is to be saved and announced is left on it."""

    def __init__(
        self, roster: Roster, tickets: Iterable[Ticket], now: datetime, rules: OfferRules
    ) -> None:
        super().__init__(roster, tickets, now, rules)
        self.listed: dict[str, Specialist] = {}
        self.turned: dict[str, Specialist] = {}
        self.words: set[str] = set()
        """Whose own word on their presence changes."""
        self.lapsed: dict[str, datetime] = {}
        """Whose word lapses, and when it did: unless they say it again meanwhile."""

    def to_come(
        self, envelopes: Sequence[Envelope[Event]], people: Iterable[str] = ()
    ) -> Counter[Pool]:
        """Estimate, a pool, how many of those who wait these events, and people, could let go."""
        coming: Counter[Pool] = Counter()
        for ticket in self.tickets.values():
            holder = self.roster.get(ticket.with_whom) if ticket.with_whom else None
            coming.update(self.roster.pools_of(holder) if holder else ())
        acting = [one for name in people if (one := self.roster.get(name)) is not None]
        for specialist in (*self.roster.turning(self.now), *acting):
            coming.update(
                {pool: specialist.room(pool.channel) for pool in self.roster.pools_of(specialist)}
            )
        for event in (envelope.event for envelope in envelopes):
            if isinstance(event, SpecialistListed):
                who = listed(event, self.now)
                coming.update({p: who.serves[p.channel] for p in self.roster.pools_of(who)})
        return coming

    def wake(self, shifts: Mapping[str, Shifts], due: Collection[UUID] = ()) -> None:
        """Let time have its effect: shifts turn, words lapse, leases, graces and steps end.

        ``shifts`` are those of who turns, ``due`` the tickets that are known to wake by now.
        """
        backs: list[Back] = []
        changed = [self._wake_specialist(known, shifts) for known in self.roster.turning(self.now)]
        held: defaultdict[str | None, list[Ticket]] = defaultdict(list)
        for ticket in self.tickets.values():
            held[ticket.with_whom].append(ticket)
        for specialist in changed:
            backs += self._review(specialist, held[specialist.specialist_id])
        self.touched.update(self.tickets.keys() & due)
        woken = [t for t in self.tickets.values() if t.wakes_at and t.wakes_at <= self.now]
        late = [t for t in woken if t.held_until is not None and t.held_until <= self.now]
        for ticket in woken:
            backs += self._wake_ticket(ticket)
        for name in sorted(self.answering):
            held_now = [t for t in self.tickets.values() if t.with_whom == name]
            backs += self._review(self.somebody(name), held_now)
        pools = {pool for one in changed for pool in self.roster.pools_of(one)}
        self.took_back(backs, pools, woken)
        for ticket in late:
            self._let_go(ticket, uuid5(ticket.ticket_id, f"clock/{self.now.isoformat()}"))

    def apply(self, envelope: Envelope[Event]) -> None:
        """Let one event have its effect, and give work to whoever has room then."""
        match envelope.event:
            case SpecialistListed() as event:
                self._list(event, envelope.time)
            case SpecialistRemoved() as event:
                self._replace(left(event.specialist_id, envelope.time))
            case ClockFact() as event:
                self._retime(event.ticket_id, envelope)
            case event if isinstance(event, FACTS):
                self.fold(event.ticket_id, envelope)
            case _:
                pass

    def fold(self, ticket_id: UUID, envelope: Envelope[Event]) -> None:
        """Let a ticket learn a fact: it may wait from now on, or need nobody any more."""
        ticket = self.tickets.setdefault(ticket_id, Ticket(ticket_id))
        self.touched.add(ticket_id)
        self.go_on(ticket_id, envelope.traceparent)
        needed, is_new = ticket.needs_specialist, ticket.request is None
        ticket.learn(envelope)
        if ticket.needs_specialist:
            if not needed:
                ticket.waiting_since = envelope.time
                waits_for_clock = not is_new and ticket.awaits_clock
                ticket.held_until = self.now + _CLOCK_WITHIN if waits_for_clock else None
            self.line_up(ticket)
            if not needed:
                self._say_why_it_waits(ticket, envelope.id)
        elif ticket.with_whom is not None:
            cause = release_by(kind_of(envelope.event))
            self.took_back([self.release(ticket, cause, envelope.id)])

    def _retime(self, ticket_id: UUID, envelope: Envelope[Event]) -> None:
        """Let a ticket learn what is due; it has another place, if that is news.

        One that came back was held for that.
        """
        ticket = self.tickets.setdefault(ticket_id, Ticket(ticket_id))
        self.go_on(ticket_id, envelope.traceparent)
        clocks, timed, held_until = {**ticket.clocks}, ticket.timed, ticket.held_until
        ticket.learn(envelope)
        if ticket.clocks != clocks:
            self.touched.add(ticket_id)
        if held_until is not None and _is_awaited(ticket, envelope.event):
            self._let_go(ticket, envelope.id)
        elif ticket.timed != timed:
            self.line_up(ticket)

    def _let_go(self, ticket: Ticket, cause: UUID) -> None:
        ticket.held_until = None
        self.touched.add(ticket.ticket_id)
        self.line_up(ticket)
        self._say_why_it_waits(ticket, cause)

    def ride(self, ticket_id: UUID, leader: UUID | None) -> None:
        """Let a ticket be answered by another's call, or find somebody for it again."""
        ticket = self.tickets.setdefault(ticket_id, Ticket(ticket_id))
        ticket.rides_with = leader
        self.touched.add(ticket_id)
        if ticket.waits:
            ticket.waiting_since = self.now
            self.line_up(ticket)
            self._say_why_it_waits(ticket, uuid5(ticket_id, f"rides/{self.now.isoformat()}"))

    def took_back(
        self, backs: Sequence[Back], pools: Collection[Pool] = (), woken: Iterable[Ticket] = ()
    ) -> None:
        """Let those wait again that still need somebody, and let others have the room.

        ``pools`` are those in which more has changed than that, ``woken`` those that may go now.
        """
        back_again = (back.ticket for back in backs)
        waiting = {t.ticket_id: t for t in (*back_again, *woken) if t.waits}.values()
        for ticket in waiting:
            self._enqueue(ticket)
        self._match(pools)
        for back in backs:
            self._serve(back.specialist_id)
        for ticket in sorted(waiting, key=lambda ticket: ticket.key):
            self._try(ticket)
        for back in backs:
            self._say_why_it_waits(back.ticket, back.cause)

    def say(self, specialist_id: str, said: Presence | None, until: datetime | None) -> Specialist:
        """Take somebody's own word on their presence; they come back as they stand now."""
        self.words.add(specialist_id)
        return self._put_word(specialist_id, said, until)

    def go_or_come_back(self, specialist_id: str, *, away: Away | None) -> Specialist:
        """Set a specialist away until they come back, or end that: what rang out is forgotten."""
        specialist = self.somebody(specialist_id).copy()
        specialist.away, specialist.unanswered = away, 0
        self.roster.put(specialist)
        self.answering.add(specialist_id)
        return specialist

    def hear_again(self, specialist_id: str) -> None:
        """Let what a specialist did not answer ring at them again, now that they are back."""
        for ticket in self.tickets.values():
            let_ring = ticket.set_aside.keys() - ticket.declined_by
            if ticket.waits and specialist_id in let_ring:
                ticket.set_aside = {w: t for w, t in ticket.set_aside.items() if w != specialist_id}
                self.touched.add(ticket.ticket_id)

    def come_and_go(self, specialist: Specialist, pools: Collection[Pool] = ()) -> None:
        """Let somebody's tickets, and queues, follow how they stand; ``pools`` change, too."""
        name = specialist.specialist_id
        held = [ticket for ticket in self.tickets.values() if ticket.with_whom == name]
        backs = self._review(specialist, held)
        self.took_back(backs, {*self.roster.pools_of(specialist), *pools})

    def _review(self, specialist: Specialist, held: Iterable[Ticket]) -> list[Back]:
        """Take from somebody what they cannot keep, now that they stand otherwise than before.

        Offers at once, unless they are there; what they accepted after the grace of its channel.
        """
        backs = []
        for ticket in sorted(held, key=lambda ticket: ticket.key):
            if ticket.offer is None:
                backs += self._owe_back(ticket, specialist)
            elif not specialist.there:
                backs.append(self.withdraw(ticket, specialist.absence or "away"))
        return backs

    def _owe_back(self, ticket: Ticket, specialist: Specialist) -> list[Back]:
        absence, at = specialist.absence, None
        if absence is not None:
            grace = self.rules.grace(absence, ticket.terms.channel)
            ends = [self.now + grace] if grace is not None else []
            at = min([*ends, *([ticket.hand_back_at] if ticket.hand_back_at else [])], default=None)
            if at is not None and at <= self.now:
                return [self.hand_back(ticket, absence)]
        if ticket.hand_back_at != at:
            ticket.hand_back_at = at
            self.touched.add(ticket.ticket_id)
        return []

    def _wake_specialist(self, known: Specialist, shifts: Mapping[str, Shifts]) -> Specialist:
        if known.said_until is not None and known.said_until <= self.now:
            self.lapsed[known.specialist_id] = known.said_until
            known = self._put_word(known.specialist_id, "offline", None)
        if known.turns_at is None or known.turns_at > self.now:
            return known
        specialist = known.copy()
        specialist.shifts = shifts.get(specialist.specialist_id, specialist.shifts)
        specialist.turn(self.now)
        self.roster.put(specialist)
        self.turned[specialist.specialist_id] = specialist
        return specialist

    def _put_word(
        self, specialist_id: str, said: Presence | None, until: datetime | None
    ) -> Specialist:
        specialist = self.somebody(specialist_id).copy()
        specialist.said, specialist.said_until = said, until
        self.roster.put(specialist)
        return specialist

    def _wake_ticket(self, ticket: Ticket) -> list[Back]:
        self.touched.add(ticket.ticket_id)
        if ticket.offer is not None:
            return [self.expire(ticket)]
        if ticket.specialist_id is not None:
            specialist = self.somebody(ticket.specialist_id)
            return [self.hand_back(ticket, specialist.absence or "offline")]
        return []

    def _list(self, event: SpecialistListed, listed_at: datetime) -> None:
        self._replace(listed(event, listed_at))

    def _replace(self, specialist: Specialist) -> None:
        """Put what the roster says now in the place of what it said; older news change nothing."""
        known = self.roster.get(specialist.specialist_id)
        if known is not None and known.listed_at > specialist.listed_at:
            return
        if self.given < _GIVEN_MAX:
            specialist.turn(self.now)
        else:
            specialist.on_shift = known is not None and known.on_shift
            specialist.turns_at = self.now
        for channel in CHANNELS:
            self.note(known or specialist, channel, new=known is None)
        served = self.roster.pools_of(known) if known is not None else ()
        if known is not None:
            specialist.load, specialist.last_at = {**known.load}, {**known.last_at}
            specialist.said, specialist.said_until = known.said, known.said_until
            specialist.away, specialist.unanswered = known.away, known.unanswered
        groups = self.roster.ranks.turns
        self.roster.put(specialist)
        if specialist.removed and (specialist.said or specialist.away or specialist.unanswered):
            self.go_or_come_back(specialist.specialist_id, away=None)
            specialist = self.say(specialist.specialist_id, None, None)
        self.listed[specialist.specialist_id] = specialist
        regrouped = self.roster.ranks.turns != groups
        self.come_and_go(specialist, self.roster.pools if regrouped else served)


def _is_awaited(ticket: Ticket, event: Event) -> bool:
    """Tell whether a record is what a ticket that came back is held for."""
    if isinstance(event, ClockCancelled) or not isinstance(event, ClockFact):
        return False
    if ticket.status.came_back and "next_response" in ticket.clocks:
        return event.kind == "next_response"
    return True
