"""Who gets which ticket: one record after another is applied to tickets, roster and queues.

After each record nobody waits whom somebody could take. Since records are applied one by one, in
memory, what is announced does not depend on how they were cut into batches.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast
from uuid import UUID, uuid5

from router.asking import Acquaintance, aside, question
from router.matching import Pool, decide
from router.queue import Queues, pool_of
from router.roster import CHANNELS, Roster, Specialist, left, listed
from router.ticket import FACTS, Release, Ticket, base, fact_of
from shared.events import (
    AssignmentExplained,
    AssignmentReleased,
    Envelope,
    Event,
    SpecialistListed,
    SpecialistRemoved,
    TicketAssigned,
    TicketDeclined,
    TicketEvent,
    TicketQueued,
)
from shared.promises import Channel
from shared.rosters import Shifts

__all__ = ["Before", "Decline", "Desk", "NotTheirs", "Unknown"]

_SOURCE: Final = "router"
_LEFT: Final = "left the roster"

type Before = tuple[int, int]
"""Capacity and load of somebody on a channel, as they were loaded."""


class Unknown(Exception):  # noqa: N818 - an answer to a person, not a fault
    """There is no such ticket."""


class NotTheirs(Exception):  # noqa: N818 - as above
    """The specialist does not have the ticket (any more)."""


@dataclass(frozen=True, slots=True)
class Decline:
    """A specialist gives a ticket back."""

    ticket_id: UUID
    specialist_id: str
    reason: str
    traceparent: str | None


class Desk:
    """All that one transaction decides on. What is to be saved and announced is left on it."""

    def __init__(self, roster: Roster, tickets: Iterable[Ticket], now: datetime) -> None:
        self.roster = roster
        self.tickets: dict[UUID, Ticket] = {}
        self.touched: set[UUID] = set()
        self.listed: dict[str, Specialist] = {}
        self.turned: dict[str, Specialist] = {}
        self.before: dict[tuple[str, Channel], Before] = {}
        self.acquaintances: dict[str, Acquaintance] = {}
        """Who had an account last, and when."""
        self.met: set[str] = set()
        """The accounts of which that is new."""
        self.announced: list[Envelope[Event]] = []
        self._now = now
        self._traceparent: str | None = None
        self._queues = Queues(roster, self.tickets)
        for ticket in tickets:
            self._bring(ticket)

    @property
    def fell_short(self) -> set[Pool]:
        """The pools of which a decision would have needed more tickets than were loaded."""
        return self._queues.fell_short

    @property
    def decisions(self) -> list[Envelope[AssignmentExplained]]:
        """The records of what was decided."""
        return [
            cast("Envelope[AssignmentExplained]", envelope)
            for envelope in self.announced
            if isinstance(envelope.event, AssignmentExplained)
        ]

    def to_come(self, envelopes: Sequence[Envelope[Event]]) -> Counter[Pool]:
        """Estimate, a pool, how many of those who wait these events could let go."""
        coming: Counter[Pool] = Counter()
        for ticket in self.tickets.values():
            holder = self.roster.get(ticket.specialist_id) if ticket.specialist_id else None
            coming.update(self.roster.pools_of(holder) if holder else ())
        for specialist in self.roster.due(self._now):
            coming.update(
                {pool: specialist.room(pool.channel) for pool in self.roster.pools_of(specialist)}
            )
        for event in (envelope.event for envelope in envelopes):
            if isinstance(event, SpecialistListed):
                who = listed(event, self._now)
                coming.update({p: who.serves[p.channel] for p in self.roster.pools_of(who)})
        return coming

    def bring_waiting(self, tickets: Iterable[Ticket], limits: Mapping[Pool, int]) -> None:
        """Take those in who wait: of each pool the earliest, at most so many as its limit."""
        waiting = [*tickets]
        for ticket in waiting:
            if ticket.ticket_id not in self.tickets:
                self._bring(ticket)
        self._queues.loaded(waiting, limits)

    def turn_shifts(self, shifts: Mapping[str, Shifts]) -> None:
        """Let shifts begin and end that do so by now, and give work to who comes."""
        for known in self.roster.due(self._now):
            specialist = known.copy()
            specialist.shifts = shifts.get(specialist.specialist_id, specialist.shifts)
            specialist.turn(self._now)
            self.roster.put(specialist)
            self.turned[specialist.specialist_id] = specialist
        come = [specialist for specialist in self.turned.values() if specialist.there]
        self._match({pool for specialist in come for pool in self.roster.pools_of(specialist)})

    def try_again(self) -> None:
        """Give those another try whose next step of relaxation has come due."""
        due = [t for t in self.tickets.values() if t.waits and _is_due(t, self._now)]
        for ticket in due:
            self.touched.add(ticket.ticket_id)
            self._enqueue(ticket)
        for ticket in sorted(due, key=lambda ticket: ticket.key):
            self._try(ticket)

    def apply(self, envelope: Envelope[Event]) -> None:
        """Let one event have its effect, and give work to whoever has room then."""
        self._traceparent = envelope.traceparent
        match envelope.event:
            case SpecialistListed() as event:
                self._list(event, envelope.time)
            case SpecialistRemoved() as event:
                self._replace(left(event.specialist_id, envelope.time))
            case event if isinstance(event, FACTS):
                self._fold(event.ticket_id, envelope)
            case _:
                pass

    def decline(self, decline: Decline) -> Ticket:
        """Take a ticket back from a specialist. Raises Unknown, NotTheirs."""
        ticket = self.tickets.get(decline.ticket_id)
        if ticket is None:
            raise Unknown
        if ticket.specialist_id != decline.specialist_id:
            raise NotTheirs
        self._traceparent = decline.traceparent
        ticket.declined_by |= {decline.specialist_id}
        cause = self._hand_back(ticket, decline.reason)
        self._serve(decline.specialist_id)
        self._try(ticket)
        self._say_why_it_waits(ticket, cause)
        return ticket

    def _fold(self, ticket_id: UUID, envelope: Envelope[Event]) -> None:
        ticket = self.tickets.setdefault(ticket_id, Ticket(ticket_id))
        self.touched.add(ticket_id)
        needed = ticket.needs_specialist
        ticket.learn(envelope)
        if ticket.needs_specialist:
            if not needed:
                ticket.waiting_since = envelope.time
            self._line_up(ticket)
            if not needed:
                self._say_why_it_waits(ticket, envelope.id)
        elif ticket.specialist_id is not None:
            self._release(ticket, envelope)

    def _release(self, ticket: Ticket, envelope: Envelope[Event]) -> None:
        cause = cast("Release", fact_of(envelope.event))  # nothing else ends the work
        specialist_id = self._take_from(ticket)
        event = AssignmentReleased(
            ticket_id=ticket.ticket_id, specialist_id=specialist_id, cause=cause
        )
        self._announce(envelope.id, event)
        self._serve(specialist_id)

    def _line_up(self, ticket: Ticket) -> None:
        """Find its place; nobody else who waits could take what is free, so it alone may go."""
        if ticket.waits:
            self._enqueue(ticket)
            self._try(ticket)

    def _list(self, event: SpecialistListed, listed_at: datetime) -> None:
        specialist = listed(event, listed_at)
        specialist.turn(self._now)
        self._replace(specialist)

    def _replace(self, specialist: Specialist) -> None:
        """Put what the roster says now in the place of what it said; older news change nothing."""
        known = self.roster.get(specialist.specialist_id)
        if known is not None and known.listed_at > specialist.listed_at:
            return
        for channel in CHANNELS:
            self._note(known or specialist, channel, new=known is None)
        served = {*self.roster.pools_of(known)} if known is not None else set[Pool]()
        if known is not None:
            specialist.load, specialist.last_at = {**known.load}, {**known.last_at}
        groups = self.roster.ranks.turns
        self.roster.put(specialist)
        self.listed[specialist.specialist_id] = specialist
        left = self._held_by(specialist) if specialist.removed else []
        causes = [(ticket, self._hand_back(ticket, _LEFT)) for ticket in left]
        if self.roster.ranks.turns != groups:
            self._match(self.roster.pools)
        else:
            serves = {*self.roster.pools_of(specialist)}
            self._match(serves if serves == served else serves | served)
        for ticket, cause in causes:
            self._say_why_it_waits(ticket, cause)

    def _held_by(self, specialist: Specialist) -> list[Ticket]:
        held = [t for t in self.tickets.values() if t.specialist_id == specialist.specialist_id]
        return sorted(held, key=lambda ticket: ticket.key)

    def _hand_back(self, ticket: Ticket, reason: str) -> UUID:
        """Let a ticket wait again; the cause of what follows comes back."""
        specialist_id = self._take_from(ticket)
        ticket.waiting_since = self._now
        self._enqueue(ticket)
        name = f"declined/{specialist_id}/{ticket.assigned_count}"
        event = TicketDeclined(
            ticket_id=ticket.ticket_id, specialist_id=specialist_id, reason=reason
        )
        cause = uuid5(ticket.ticket_id, name)
        self._announce(cause, event)
        return cause

    def _say_why_it_waits(self, ticket: Ticket, cause: UUID) -> None:
        if ticket.waits:
            reason = self.roster.why_nobody(pool_of(ticket))
            self._announce(cause, TicketQueued(ticket_id=ticket.ticket_id, reason=reason))
            self._announce(cause, self._decide(ticket))

    def _serve(self, specialist_id: str) -> None:
        """Give the earliest to somebody who has room now; nobody else has any that is new."""
        specialist = self.roster.get(specialist_id)
        pools = self.roster.pools_of(specialist) if specialist is not None else ()

        def goes(ticket: Ticket) -> bool:
            return specialist_id not in aside(self.roster, ticket)

        while specialist is not None and specialist.there:
            open_to = (pool for pool in pools if specialist.can_take(pool.channel))
            if not self._give_earliest(open_to, goes):
                return

    def _match(self, pools: Collection[Pool]) -> None:
        """Give the earliest to somebody, as long as anybody can take anything of these pools."""

        def goes(ticket: Ticket) -> bool:
            return self._anybody_for(pool_of(ticket), aside(self.roster, ticket))

        while self._give_earliest((pool for pool in pools if self._anybody_for(pool, ())), goes):
            pass

    def _give_earliest(self, pools: Iterable[Pool], goes: Callable[[Ticket], bool]) -> bool:
        first = self._queues.earliest(pools, goes)
        if first is not None:
            self._give_to_best(first)
        return first is not None

    def _anybody_for(self, pool: Pool, aside: Collection[str]) -> bool:
        able = self.roster.ranks.able(pool.channel, self.roster.needs(pool), aside)
        return next(able, None) is not None

    def _try(self, ticket: Ticket) -> None:
        """Give a ticket to who is best for it, if anybody can take it."""
        if ticket.waits and self._anybody_for(pool_of(ticket), aside(self.roster, ticket)):
            self._give_to_best(ticket)

    def _give_to_best(self, ticket: Ticket) -> None:
        decision = self._decide(ticket)
        specialist = self.roster.get(decision.specialist_id or "")
        assert specialist is not None  # noqa: S101 - somebody can take it, so somebody is chosen
        self._give(ticket, specialist)
        self._announce(uuid5(ticket.ticket_id, f"assigned/{ticket.assigned_count}"), decision)

    def _decide(self, ticket: Ticket) -> AssignmentExplained:
        known = self.acquaintances.get(ticket.terms.account_id)
        asked = question(self.roster, ticket, known, self._now)
        return decide(asked, self.roster, self.roster.rules.weights, self._now)

    def _give(self, ticket: Ticket, specialist: Specialist) -> None:
        terms = ticket.terms
        ticket.specialist_id = specialist.specialist_id
        ticket.assigned_count += 1
        self.touched.add(ticket.ticket_id)
        self._shift(specialist, terms.channel, 1)
        self._meet(terms.account_id, specialist)
        waited = self._now - (ticket.waiting_since or terms.create_date)
        event = TicketAssigned(
            ticket_id=ticket.ticket_id,
            specialist_id=specialist.specialist_id,
            account_id=terms.account_id,
            channel=terms.channel,
            severity=ticket.severity,
            language=terms.language,
            english_instead=base(terms.language) not in specialist.speaks,
            due_at=ticket.due,
            waited_ms=max(0, waited // timedelta(milliseconds=1)),
        )
        self._announce(uuid5(ticket.ticket_id, f"assigned/{ticket.assigned_count}"), event)

    def _take_from(self, ticket: Ticket) -> str:
        """Free the room of whoever has the ticket; their id comes back."""
        assert ticket.specialist_id is not None  # noqa: S101 - asked only of tickets held
        specialist = self.roster.get(ticket.specialist_id)
        assert specialist is not None  # noqa: S101 - the database holds the reference
        ticket.specialist_id = None
        self.touched.add(ticket.ticket_id)
        self._shift(specialist, ticket.terms.channel, -1)
        return specialist.specialist_id

    def _shift(self, specialist: Specialist, channel: Channel, by: int) -> None:
        self._note(specialist, channel)
        self.roster.change(specialist)
        specialist.load[channel] = specialist.load.get(channel, 0) + by
        if by > 0:
            specialist.last_at[channel] = self._now
        self.roster.rank(specialist)

    def _meet(self, account_id: str, specialist: Specialist) -> None:
        self.acquaintances[account_id] = Acquaintance(specialist.specialist_id, self._now)
        self.met.add(account_id)

    def _note(self, specialist: Specialist, channel: Channel, *, new: bool = False) -> None:
        """Remember what was loaded, for the save to be sure that nobody else changed it."""
        was = (specialist.capacity.get(channel, 0), specialist.load.get(channel, 0))
        self.before.setdefault((specialist.specialist_id, channel), (0, 0) if new else was)

    def _bring(self, ticket: Ticket) -> None:
        self.tickets[ticket.ticket_id] = ticket
        if ticket.waits and ticket.pool is not None:
            self._queues.push(ticket)

    def _enqueue(self, ticket: Ticket) -> None:
        ticket.place(self.roster.rules, self._now)
        self._queues.push(ticket)

    def _announce(self, cause: UUID, event: TicketEvent) -> None:
        self.announced.append(
            Envelope.caused_by(
                cause, event, source=_SOURCE, time=self._now, traceparent=self._traceparent
            )
        )


def _is_due(ticket: Ticket, now: datetime) -> bool:
    return ticket.again_at is not None and ticket.again_at <= now
