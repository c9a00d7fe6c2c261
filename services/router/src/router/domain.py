"""Who gets which ticket: one record after another is applied to tickets, roster and queues.

After each record nobody waits whom somebody could take. Since records are applied one by one, in
memory, what is announced does not depend on how they were cut into batches.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from heapq import heappop, heappush
from typing import cast
from uuid import UUID

from router.hands import Back, Hands
from router.offers.rules import Rules
from router.roster import CHANNELS, Roster, Specialist, preference
from router.ticket import FACTS, Key, Ticket, base, fact_of
from shared.events import (
    Envelope,
    Event,
    Presence,
    Release,
    SpecialistListed,
    SpecialistRemoved,
    TicketQueued,
)
from shared.promises import Channel

__all__ = ["Desk"]


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


class Desk(Hands):
    """All that one transaction decides on. What is to be saved and announced is left on it."""

    def __init__(
        self, roster: Roster, tickets: Iterable[Ticket], now: datetime, rules: Rules
    ) -> None:
        super().__init__(roster, rules, now)
        self.listed: dict[str, Specialist] = {}
        self.turned: dict[str, Specialist] = {}
        self.most: dict[tuple[str, Channel], int] = {}
        """The highest capacity that somebody was listed with, should they be listed twice."""
        self.said_before: dict[str, datetime | None] = {}
        """Whose own word on their presence changes, and until when the old one held."""
        self._due: list[Ticket] = []
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
        room = Counter(t.terms.channel for t in self.tickets.values() if t.with_whom)
        changes = [e.event for e in envelopes if e.event.topic == SpecialistListed.topic]
        for channel in CHANNELS if changes or self.roster.due(self.now) else ():
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

    def wake(self) -> None:
        """Let time have its effect: shifts turn, presence lapses, leases and graces end."""
        backs: list[Back] = []
        people = self.roster.due(self.now)
        for specialist in people:
            if specialist.said_until is not None and specialist.said_until <= self.now:
                self.say(specialist, "offline", None)
            specialist.turn(self.now)
            self.turned[specialist.specialist_id] = specialist
            backs += self.review(specialist)
        for ticket in sorted(self._due, key=lambda one: one.key):
            backs += self._wake_ticket(ticket)
        self._due.clear()
        self.took_back(backs)
        if people:
            self._match(*CHANNELS)

    def apply(self, envelope: Envelope[Event]) -> None:
        """Let one event have its effect, and give work to whoever has room then."""
        self.traceparent = envelope.traceparent
        match envelope.event:
            case SpecialistListed() as event:
                self._list(event, envelope.time)
            case SpecialistRemoved() as event:
                self._remove(event.specialist_id, envelope.time)
            case event if isinstance(event, FACTS):
                self.fold(event.ticket_id, envelope)
            case _:
                pass

    def fold(self, ticket_id: UUID, envelope: Envelope[Event]) -> None:
        """Let a ticket learn a fact: it may wait from now on, or need nobody any more."""
        ticket = self.tickets.setdefault(ticket_id, Ticket(ticket_id))
        self.touched.add(ticket_id)
        needed = ticket.needs_specialist
        ticket.learn(envelope)
        if ticket.needs_specialist:
            if not needed:
                ticket.waiting_since = envelope.time
            self.line_up(ticket)
            if not needed:
                self._say_why_it_waits(ticket, envelope.id)
        elif ticket.with_whom is not None:
            cause = cast("Release", fact_of(envelope.event))  # nothing else ends the work
            self.took_back([self.release(ticket, cause, envelope.id)])

    def took_back(self, backs: Sequence[Back]) -> None:
        """Let those wait again that still need somebody, and let others have the room."""
        for back in backs:
            back.ticket.forget_asides(self.now)  # nobody looked while it was with somebody
            if back.ticket.waits:
                self._queue_of(back.ticket).push(back.ticket)
        freed = {c for back in backs for c in self._freed_by(back.ticket, back.specialist_id)}
        self._match(*freed)
        for back in backs:
            self._say_why_it_waits(back.ticket, back.cause)

    def say(self, specialist: Specialist, said: Presence | None, until: datetime | None) -> None:
        """Take somebody's own word on their presence."""
        self.said_before.setdefault(specialist.specialist_id, specialist.said_until)
        specialist.said, specialist.said_until = said, until

    def review(self, specialist: Specialist) -> list[Back]:
        """Take from somebody what they cannot keep, now that they stand otherwise than before.

        Offers at once, unless they are there; what they accepted after the grace of its channel.
        """
        backs = []
        for ticket in self._with(specialist):
            if ticket.offer is None:
                backs += self._owe_back(ticket, specialist)
            elif not specialist.there:
                backs.append(self.withdraw(ticket, specialist.absence or "away"))
        return backs

    def come_and_go(self, specialist: Specialist) -> None:
        """Let somebody's tickets, and the queues, follow how they stand now."""
        backs = self.review(specialist)
        self.took_back(backs)
        self._match(*CHANNELS)

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

    def _wake_ticket(self, ticket: Ticket) -> list[Back]:
        """Do what time has brought about, unless something else was faster."""
        if ticket.wakes_at is None or ticket.wakes_at > self.now:
            return []
        if ticket.offer is not None:
            return [self.expire(ticket)]
        if ticket.specialist_id is not None:
            specialist = self._somebody(ticket.specialist_id)
            return [self.hand_back(ticket, specialist.absence or "offline")]
        ticket.forget_asides(self.now)
        self.touched.add(ticket.ticket_id)
        self.line_up(ticket)
        return []

    def line_up(self, ticket: Ticket) -> None:
        """Let a ticket that waits have its place, and go if it can."""
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
        specialist.turn(self.now)
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
            self.note(known or specialist, channel, new=known is None)
            place = (specialist.specialist_id, channel)
            self.most[place] = max(self.most.get(place, 0), specialist.capacity[channel])
        if known is not None:
            specialist.load = known.load
            specialist.said, specialist.said_until = known.said, known.said_until
        if specialist.removed and specialist.said is not None:
            self.say(specialist, None, None)
        self.roster.put(specialist)
        self.listed[specialist.specialist_id] = specialist
        self.come_and_go(specialist)

    def _with(self, specialist: Specialist) -> list[Ticket]:
        name = specialist.specialist_id
        return sorted(
            (ticket for ticket in self.tickets.values() if ticket.with_whom == name),
            key=lambda ticket: ticket.key,
        )

    def _say_why_it_waits(self, ticket: Ticket, cause: UUID) -> None:
        if ticket.waits:
            reason = self.roster.why_nobody(ticket.terms.channel, base(ticket.terms.language))
            self.announce(cause, TicketQueued(ticket_id=ticket.ticket_id, reason=reason))

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
            self.give(ticket, max(takers, key=lambda s: preference(account_id, s.specialist_id)))

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

    def _bring(self, ticket: Ticket) -> None:
        self.tickets[ticket.ticket_id] = ticket
        if ticket.wakes_at is not None and ticket.wakes_at <= self.now:
            self._due.append(ticket)
        if ticket.waits:
            self._queue_of(ticket).push(ticket)

    def _queue_of(self, ticket: Ticket) -> Queue:
        terms = ticket.terms
        return self._queues[terms.channel][base(terms.language)]
