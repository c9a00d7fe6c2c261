"""Who gets which ticket: one record after another is applied to tickets, roster and queues.

After each record nobody waits whom somebody could take. Since records are applied one by one, in
memory, what is announced does not depend on how they were cut into batches.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush
from typing import Final, cast
from uuid import UUID, uuid5

from router.roster import CHANNELS, Roster, Specialist, preference
from router.ticket import FACTS, Key, Release, Ticket, base, fact_of
from shared.events import (
    AssignmentReleased,
    Envelope,
    Event,
    SpecialistListed,
    SpecialistRemoved,
    TicketAssigned,
    TicketDeclined,
    TicketQueued,
)
from shared.events.assignments import AssignmentFact
from shared.promises import Channel

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


class Queue:
    """The tickets of one pool that wait, earliest due first, as far as they were loaded."""

    def __init__(self) -> None:
        self._heap: list[Key] = []
        self._horizon: Key | None = None
        self.fell_short = False
        """An answer would have needed tickets beyond those loaded."""

    @property
    def empty(self) -> bool:
        """Nobody waits, here or beyond the horizon."""
        return not self._heap and self._horizon is None

    def push(self, ticket: Ticket) -> None:
        """Add a ticket, or its new place when it is due at another time now."""
        heappush(self._heap, ticket.key)

    def ends_at(self, horizon: Key) -> None:
        """Say that others wait beyond ``horizon``, which were not loaded."""
        self._horizon = horizon

    def earliest(
        self, find: Callable[[UUID], Ticket], goes: Callable[[Ticket], bool]
    ) -> Key | None:
        """Find the first that goes; others keep their place."""
        passed_over: list[Key] = []
        found = None
        while self._heap and found is None and self._sees(self._heap[0]):
            key = heappop(self._heap)
            ticket = find(key[1])
            if ticket.waits and ticket.key == key:
                passed_over.append(key)
                found = key if goes(ticket) else None
        for key in passed_over:
            heappush(self._heap, key)
        self.fell_short |= found is None and self._horizon is not None
        return found

    def _sees(self, key: Key) -> bool:
        return self._horizon is None or key <= self._horizon


class Desk:
    """All that one transaction decides on. What is to be saved and announced is left on it."""

    def __init__(self, roster: Roster, tickets: Iterable[Ticket], now: datetime) -> None:
        self.roster = roster
        self.tickets: dict[UUID, Ticket] = {}
        self.touched: set[UUID] = set()
        self.listed: dict[str, Specialist] = {}
        self.turned: dict[str, Specialist] = {}
        self.before: dict[tuple[str, Channel], Before] = {}
        self.announced: list[Envelope[Event]] = []
        self._now = now
        self._traceparent: str | None = None
        self._queues: dict[Channel, defaultdict[str, Queue]] = {
            channel: defaultdict(Queue) for channel in CHANNELS
        }
        for ticket in tickets:
            self._bring(ticket)

    @property
    def saw_enough(self) -> bool:
        """Every decision was made on all the tickets it concerns."""
        return not any(q.fell_short for queues in self._queues.values() for q in queues.values())

    def room_to_come(self, envelopes: Sequence[Envelope[Event]]) -> dict[Channel, int]:
        """Estimate, a channel, how many of those who wait these events could let go."""
        room = Counter(t.terms.channel for t in self.tickets.values() if t.specialist_id)
        changes = [e.event for e in envelopes if e.event.topic == SpecialistListed.topic]
        for channel in CHANNELS if changes or self.roster.due(self._now) else ():
            room[channel] += self.roster.room(channel)
            for change in changes:
                if isinstance(change, SpecialistListed):
                    room[channel] += change.capacity.get(channel, 0)
        return room

    def bring_waiting(self, tickets: Iterable[Ticket], limits: dict[Channel, int]) -> None:
        """Take those in who wait: of each pool the earliest, at most so many as its limit."""
        pools: defaultdict[tuple[Channel, str], list[Ticket]] = defaultdict(list)
        for ticket in tickets:
            terms = ticket.terms
            pools[terms.channel, base(terms.language)].append(ticket)
            if ticket.ticket_id not in self.tickets:
                self._bring(ticket)
        for (channel, language), waiting in pools.items():
            if len(waiting) >= limits[channel]:
                self._queues[channel][language].ends_at(max(t.key for t in waiting))

    def turn_shifts(self) -> None:
        """Let shifts begin and end that do so by now, and give work to who comes."""
        for specialist in self.roster.due(self._now):
            specialist.turn(self._now)
            self.turned[specialist.specialist_id] = specialist
        if any(specialist.there for specialist in self.turned.values()):
            self._match(*CHANNELS)

    def apply(self, envelope: Envelope[Event]) -> None:
        """Let one event have its effect, and give work to whoever has room then."""
        self._traceparent = envelope.traceparent
        match envelope.event:
            case SpecialistListed() as event:
                self._list(event, envelope.time)
            case SpecialistRemoved() as event:
                self._remove(event.specialist_id, envelope.time)
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
        self._match(*self._freed_by(ticket, decline.specialist_id))
        self._say_why_it_waits(ticket, cause)
        return ticket

    def ride(self, ticket_id: UUID, leader: UUID | None) -> None:
        """Let a ticket be answered by another's call, or find somebody for it again."""
        ticket = self.tickets.setdefault(ticket_id, Ticket(ticket_id))
        ticket.rides_with = leader
        self.touched.add(ticket_id)
        if ticket.waits:
            ticket.waiting_since = self._now
            self._line_up(ticket)
            self._say_why_it_waits(ticket, uuid5(ticket_id, f"rides/{self._now.isoformat()}"))

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
        self._match(*self._freed_by(ticket, specialist_id))

    def _line_up(self, ticket: Ticket) -> None:
        if ticket.waits:
            self._queue_of(ticket).push(ticket)
            self._match(ticket.terms.channel)

    def _list(self, event: SpecialistListed, listed_at: datetime) -> None:
        specialist = Specialist(
            specialist_id=event.specialist_id,
            name=event.name,
            languages=event.languages,
            presence=event.presence,
            listed_at=listed_at,
            capacity={channel: event.capacity.get(channel, 0) for channel in CHANNELS},
            levels={language: event.level(language) for language in event.languages},
            skills=event.skills,
            team=event.team,
            certified=event.certified,
            universal=None if event.universal is None else event.universal.capacity,
            weights={} if event.universal is None else event.universal.weights,
            shifts=event.shifts,
        )
        specialist.turn(self._now)
        self._replace(specialist)

    def _remove(self, specialist_id: str, removed_at: datetime) -> None:
        self._replace(
            Specialist(
                specialist_id=specialist_id,
                name=specialist_id,
                languages=(),
                presence="offline",
                listed_at=removed_at,
                removed=True,
                capacity=dict.fromkeys(CHANNELS, 0),
            )
        )

    def _replace(self, specialist: Specialist) -> None:
        """Put what the roster says now in the place of what it said; older news change nothing."""
        known = self.roster.get(specialist.specialist_id)
        if known is not None and known.listed_at > specialist.listed_at:
            return
        for channel in CHANNELS:
            self._note(known or specialist, channel, new=known is None)
        if known is not None:
            specialist.load = known.load
        self.roster.put(specialist)
        self.listed[specialist.specialist_id] = specialist
        left = self._held_by(specialist) if specialist.removed else []
        causes = [(ticket, self._hand_back(ticket, _LEFT)) for ticket in left]
        self._match(*CHANNELS)
        for ticket, cause in causes:
            self._say_why_it_waits(ticket, cause)

    def _held_by(self, specialist: Specialist) -> list[Ticket]:
        held = [t for t in self.tickets.values() if t.specialist_id == specialist.specialist_id]
        return sorted(held, key=lambda ticket: ticket.key)

    def _hand_back(self, ticket: Ticket, reason: str) -> UUID:
        """Let a ticket wait again; the cause of what follows comes back."""
        specialist_id = self._take_from(ticket)
        ticket.waiting_since = self._now
        self._queue_of(ticket).push(ticket)
        name = f"declined/{specialist_id}/{ticket.assigned_count}"
        event = TicketDeclined(
            ticket_id=ticket.ticket_id, specialist_id=specialist_id, reason=reason
        )
        cause = uuid5(ticket.ticket_id, name)
        self._announce(cause, event)
        return cause

    def _say_why_it_waits(self, ticket: Ticket, cause: UUID) -> None:
        if ticket.waits:
            reason = self.roster.why_nobody(ticket.terms.channel, base(ticket.terms.language))
            self._announce(cause, TicketQueued(ticket_id=ticket.ticket_id, reason=reason))

    def _freed_by(self, ticket: Ticket, specialist_id: str) -> Sequence[Channel]:
        """Say of which channels somebody may take more, now that a ticket has left them."""
        specialist = self.roster.get(specialist_id)
        if specialist is None or specialist.universal is None:
            return (ticket.terms.channel,)
        return CHANNELS

    def _match(self, *channels: Channel) -> None:
        """Give the earliest due to somebody, as long as anybody can take anything."""
        while (ticket := self._next(channels)) is not None:
            account_id = ticket.terms.account_id
            takers = self.roster.takers(ticket)
            self._give(ticket, max(takers, key=lambda s: preference(account_id, s.specialist_id)))

    def _next(self, channels: Sequence[Channel]) -> Ticket | None:
        firsts = [first for channel in channels for first in self._firsts(channel)]
        return self.tickets[min(firsts)[1]] if firsts else None

    def _firsts(self, channel: Channel) -> Iterator[Key]:
        for language, queue in self._queues[channel].items():
            if queue.empty:
                continue
            qualified = self.roster.qualified(channel, language).values()
            if any(specialist.can_take(channel) for specialist in qualified):
                first = queue.earliest(self.tickets.__getitem__, self._goes)
                if first is not None:
                    yield first

    def _goes(self, ticket: Ticket) -> bool:
        return any(True for _ in self.roster.takers(ticket))

    def _give(self, ticket: Ticket, specialist: Specialist) -> None:
        terms = ticket.terms
        ticket.specialist_id = specialist.specialist_id
        ticket.assigned_count += 1
        self.touched.add(ticket.ticket_id)
        self._shift(specialist, terms.channel, 1)
        waited = self._now - (ticket.waiting_since or terms.create_date)
        event = TicketAssigned(
            ticket_id=ticket.ticket_id,
            specialist_id=specialist.specialist_id,
            account_id=terms.account_id,
            channel=terms.channel,
            severity=ticket.severity,
            language=terms.language,
            english_instead=not self.roster.serves(terms.channel, base(terms.language)),
            due_at=ticket.key[0],
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
        specialist.load[channel] = specialist.load.get(channel, 0) + by

    def _note(self, specialist: Specialist, channel: Channel, *, new: bool = False) -> None:
        """Remember what was loaded, for the save to be sure that nobody else changed it."""
        was = (specialist.capacity.get(channel, 0), specialist.load.get(channel, 0))
        self.before.setdefault((specialist.specialist_id, channel), (0, 0) if new else was)

    def _bring(self, ticket: Ticket) -> None:
        self.tickets[ticket.ticket_id] = ticket
        if ticket.waits:
            self._queue_of(ticket).push(ticket)

    def _queue_of(self, ticket: Ticket) -> Queue:
        terms = ticket.terms
        return self._queues[terms.channel][base(terms.language)]

    def _announce(self, cause: UUID, event: AssignmentFact) -> None:
        self.announced.append(
            Envelope.caused_by(
                cause, event, source=_SOURCE, time=self._now, traceparent=self._traceparent
            )
        )
