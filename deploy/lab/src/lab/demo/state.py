"""The state that the demo's screen shows, computed from the published events.

Events of different topics may arrive in any order, so the state of a ticket may be wrong for a
moment, but is right in the end.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from lab.demo.content import account_name
from shared.events import (
    AssignmentHandedBack,
    AssignmentReleased,
    ClockCancelled,
    ClockMet,
    ClockPaused,
    ClockRepriced,
    ClockResumed,
    ClockStarted,
    ClockWarned,
    CustomerReplied,
    Envelope,
    Event,
    NotificationFailed,
    Presence,
    PromiseBreached,
    PromiseMissed,
    PromiseRetracted,
    SpecialistFact,
    SpecialistListed,
    TicketAccepted,
    TicketAssigned,
    TicketClosed,
    TicketDeclined,
    TicketResolved,
    TicketResponded,
)

__all__ = ["DemoState", "NewsItem", "Specialist", "Ticket"]

_NEWS_MAX: Final = 60
_LAST_WARNING: Final = 80

_PLACED: Final = (TicketAssigned, TicketDeclined, AssignmentHandedBack, AssignmentReleased)


@dataclass(slots=True)
class Ticket:
    """What is known about a ticket so far."""

    accepted: TicketAccepted | None = None
    created_at: datetime | None = None
    due_at: datetime | None = None
    holder: str | None = None
    answered: bool = False
    """Whether it needs no specialist (any more)."""
    replied_at: datetime | None = None
    """The time of the customer's last reply."""
    started: bool = False
    settled: bool = False
    """From ``started`` to ``settled`` its clock runs; while ``due_at`` is None, it is paused."""
    warned: bool = False
    kept: bool = False
    broken: type[Event] | None = None

    @property
    def timed(self) -> bool:
        """Whether it has an open promise."""
        return self.started and not self.settled


@dataclass(slots=True)
class Specialist:
    """A specialist on the roster, and their tickets."""

    name: str
    room: int
    presence: Presence
    holds: set[UUID] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class NewsItem:
    """One line of news."""

    at: datetime
    kind: str
    text: str


@dataclass(slots=True)
class DemoState:
    """The state of the demo."""

    tickets: dict[UUID, Ticket] = field(default_factory=dict)
    specialists: dict[str, Specialist] = field(default_factory=dict)
    counts: Counter[type[Event]] = field(default_factory=Counter)
    refused: int = 0
    news: deque[NewsItem] = field(default_factory=lambda: deque(maxlen=_NEWS_MAX))

    def list_roster(self, roster: Iterable[SpecialistListed]) -> None:
        """Add all specialists at the start."""
        for specialist in roster:
            self._specialist_listed(specialist)

    def refuse(self, at: datetime, service: str, reason: str) -> None:
        """Count a dead letter."""
        self.refused += 1
        self._add_news(at, "refused", f"{service} refuses a message: {reason}")

    def apply(self, envelope: Envelope[Event], now: datetime) -> None:
        """Apply one event, which arrived at ``now`` (business time)."""
        event = envelope.event
        self.counts[type(event)] += 1
        match event:
            case SpecialistListed():
                self._specialist_listed(event, now)
            case (
                TicketAssigned() | TicketDeclined() | AssignmentHandedBack() | AssignmentReleased()
            ):
                self._assignment_changed(now, event)
            case TicketAccepted():
                ticket = self.ticket(event.ticket_id)
                ticket.accepted, ticket.created_at = event, envelope.time
            case NotificationFailed():
                self._add_news(now, "failed", f"mail to {event.recipient}: {event.reason}")
            case _:
                self._clock_changed(now, envelope)

    def ticket(self, ticket_id: UUID) -> Ticket:
        """Return the state of a ticket; a new one if it is unknown."""
        return self.tickets.setdefault(ticket_id, Ticket())

    def waiting(self) -> Iterator[Ticket]:
        """Return the tickets that wait for a specialist."""
        for ticket in self.tickets.values():
            if ticket.accepted and ticket.holder is None and not ticket.answered:
                yield ticket

    def timed(self) -> Iterator[Ticket]:
        """Return the tickets with an open promise."""
        return (ticket for ticket in self.tickets.values() if ticket.timed)

    def open_tickets(self) -> list[UUID]:
        """List the tickets that need an answer or have an open promise."""
        return [
            ticket_id
            for ticket_id, ticket in self.tickets.items()
            if ticket.accepted and (ticket.timed or ticket.holder or not ticket.answered)
        ]

    def load_of(self, specialist_id: str) -> int:
        """Count a specialist's tickets."""
        known = self.specialists.get(specialist_id)
        return len(known.holds) if known else 0

    def start_day(self) -> None:
        """Start a new day: remove finished tickets, and reset the counts."""
        for ticket_id in self.tickets.keys() - set(self.open_tickets()):
            del self.tickets[ticket_id]
        self.counts.clear()
        self.refused = 0

    def _specialist_listed(self, event: SpecialistListed, at: datetime | None = None) -> None:
        known = self.specialists.get(event.specialist_id)
        if known is None:
            room = sum(event.capacity.values())
            self.specialists[event.specialist_id] = Specialist(event.name, room, event.presence)
        elif known.presence != event.presence:
            known.presence = event.presence
            if at is not None:
                self._add_news(at, event.presence, f"{event.name} is {event.presence}")

    def _assignment_changed(self, at: datetime, event: SpecialistFact) -> None:
        ticket = self.ticket(event.ticket_id)
        specialist = self.specialists.get(event.specialist_id)
        if isinstance(event, TicketAssigned):
            ticket.holder = event.specialist_id
            if specialist:
                specialist.holds.add(event.ticket_id)
            return
        ticket.holder = None
        ticket.answered = isinstance(event, AssignmentReleased)
        if specialist:
            specialist.holds.discard(event.ticket_id)
            if isinstance(event, TicketDeclined):
                self._add_news(at, "declined", f"{specialist.name} declined: {event.reason}")

    def _clock_changed(self, at: datetime, envelope: Envelope[Event]) -> None:
        match event := envelope.event:
            case TicketResponded() | TicketResolved() | TicketClosed():
                self.ticket(event.ticket_id).answered = True
            case CustomerReplied():
                ticket = self.ticket(event.ticket_id)
                ticket.replied_at = max(ticket.replied_at or envelope.time, envelope.time)
            case ClockStarted() | ClockResumed() | ClockRepriced():
                ticket = self.ticket(event.ticket_id)
                ticket.started, ticket.due_at = True, event.due_at
            case ClockPaused():
                self.ticket(event.ticket_id).due_at = None
            case ClockWarned():
                self.ticket(event.ticket_id).warned = True
                if event.percent == _LAST_WARNING:
                    self._add_news(at, "warned", f"{self._name(event.ticket_id)}: 80 % used up")
            case ClockMet() | ClockCancelled():
                ticket = self.ticket(event.ticket_id)
                ticket.settled, ticket.kept = True, isinstance(event, ClockMet) and event.in_time
            case PromiseBreached() | PromiseMissed():
                self.ticket(event.ticket_id).broken = type(event)
                kind = "breached" if isinstance(event, PromiseBreached) else "missed"
                self._add_news(
                    at, kind, f"{self._name(event.ticket_id)}: due {event.due_at:%H:%M:%S}"
                )
            case PromiseRetracted():
                self.ticket(event.ticket_id).broken = None
                text = f"{self._name(event.ticket_id)}: answered in time, reported late"
                self._add_news(at, "retracted", text)
            case _:
                pass  # only counted

    def _name(self, ticket_id: UUID) -> str:
        accepted = self.ticket(ticket_id).accepted
        if accepted is None:
            return "a ticket"
        place = f"{account_name(accepted.account_id)} · {accepted.channel} · {accepted.language}"
        return place if accepted.severity == "standard" else f"{place} · business-critical"

    def _add_news(self, at: datetime, kind: str, text: str) -> None:
        self.news.append(NewsItem(at, kind, text))
