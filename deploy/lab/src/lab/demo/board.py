"""What the system says about itself, folded into what the view shows.

Topics overtake each other, so every event is taken on its own; the board may be a moment wrong
about a ticket, never for good.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from lab.demo.script import account_name
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

__all__ = ["Board", "News", "Specialist", "Ticket"]

_NEWS_MAX: Final = 60
_LAST_WARNING: Final = 80

_PLACED: Final = (TicketAssigned, TicketDeclined, AssignmentHandedBack, AssignmentReleased)


@dataclass(slots=True)
class Ticket:
    """What is known of a ticket so far."""

    accepted: TicketAccepted | None = None
    created_at: datetime | None = None
    due_at: datetime | None = None
    holder: str | None = None
    answered: bool = False
    """Nobody has to be found for it (any more)."""
    replied_at: datetime | None = None
    """When the customer replied last."""
    started: bool = False
    settled: bool = False
    """Its clock runs, or is paused while ``due_at`` is None, from started to settled."""
    warned: bool = False
    kept: bool = False
    broken: type[Event] | None = None

    @property
    def timed(self) -> bool:
        """Whether a promise on it is open."""
        return self.started and not self.settled


@dataclass(slots=True)
class Specialist:
    """Somebody on the roster, with what they hold."""

    name: str
    room: int
    presence: Presence
    holds: set[UUID] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class News:
    """Something worth a line."""

    at: datetime
    kind: str
    text: str


@dataclass(slots=True)
class Board:
    """The state behind the view."""

    tickets: dict[UUID, Ticket] = field(default_factory=dict)
    specialists: dict[str, Specialist] = field(default_factory=dict)
    counts: Counter[type[Event]] = field(default_factory=Counter)
    refused: int = 0
    news: deque[News] = field(default_factory=lambda: deque(maxlen=_NEWS_MAX))

    def list_roster(self, roster: Iterable[SpecialistListed]) -> None:
        """Show everybody from the beginning."""
        for specialist in roster:
            self._listed(specialist)

    def refuse(self, at: datetime, service: str, reason: str) -> None:
        """Count a dead letter."""
        self.refused += 1
        self._say(at, "refused", f"{service} parked a message: {reason}")

    def take(self, envelope: Envelope[Event], now: datetime) -> None:
        """Fold one event in that came at ``now``, business time."""
        event = envelope.event
        self.counts[type(event)] += 1
        match event:
            case SpecialistListed():
                self._listed(event, now)
            case (
                TicketAssigned() | TicketDeclined() | AssignmentHandedBack() | AssignmentReleased()
            ):
                self._placed(now, event)
            case TicketAccepted():
                ticket = self.ticket(event.ticket_id)
                ticket.accepted, ticket.created_at = event, envelope.time
            case NotificationFailed():
                self._say(now, "failed", f"mail to {event.recipient}: {event.reason}")
            case _:
                self._timed(now, envelope)

    def ticket(self, ticket_id: UUID) -> Ticket:
        """Give what is known of a ticket, if only that there is one."""
        return self.tickets.setdefault(ticket_id, Ticket())

    def waiting(self) -> Iterator[Ticket]:
        """Find the tickets nobody has."""
        for ticket in self.tickets.values():
            if ticket.accepted and ticket.holder is None and not ticket.answered:
                yield ticket

    def timed(self) -> Iterator[Ticket]:
        """Find the tickets with an open promise."""
        return (ticket for ticket in self.tickets.values() if ticket.timed)

    def open_tickets(self) -> list[UUID]:
        """List the tickets on which somebody still owes something."""
        return [
            ticket_id
            for ticket_id, ticket in self.tickets.items()
            if ticket.accepted and (ticket.timed or ticket.holder or not ticket.answered)
        ]

    def load_of(self, specialist_id: str) -> int:
        """Count what somebody holds."""
        known = self.specialists.get(specialist_id)
        return len(known.holds) if known else 0

    def turn_page(self) -> None:
        """Begin a new day: what is settled is forgotten, and counting starts anew."""
        for ticket_id in self.tickets.keys() - set(self.open_tickets()):
            del self.tickets[ticket_id]
        self.counts.clear()
        self.refused = 0

    def _listed(self, event: SpecialistListed, at: datetime | None = None) -> None:
        known = self.specialists.get(event.specialist_id)
        if known is None:
            room = sum(event.capacity.values())
            self.specialists[event.specialist_id] = Specialist(event.name, room, event.presence)
        elif known.presence != event.presence:
            known.presence = event.presence
            if at is not None:
                self._say(at, event.presence, f"{event.name} is {event.presence}")

    def _placed(self, at: datetime, event: SpecialistFact) -> None:
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
                self._say(at, "declined", f"{specialist.name} hands back: {event.reason}")

    def _timed(self, at: datetime, envelope: Envelope[Event]) -> None:
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
                    self._say(at, "warned", f"{self._name(event.ticket_id)}: 80 % used up")
            case ClockMet() | ClockCancelled():
                ticket = self.ticket(event.ticket_id)
                ticket.settled, ticket.kept = True, isinstance(event, ClockMet) and event.in_time
            case PromiseBreached() | PromiseMissed():
                self.ticket(event.ticket_id).broken = type(event)
                kind = "breached" if isinstance(event, PromiseBreached) else "missed"
                self._say(at, kind, f"{self._name(event.ticket_id)}: due {event.due_at:%H:%M:%S}")
            case PromiseRetracted():
                self.ticket(event.ticket_id).broken = None
                told = f"{self._name(event.ticket_id)}: answered in time, told late"
                self._say(at, "retracted", told)
            case _:
                pass  # counted; nothing on the screen depends on it

    def _name(self, ticket_id: UUID) -> str:
        accepted = self.ticket(ticket_id).accepted
        if accepted is None:
            return "a ticket"
        place = f"{account_name(accepted.account_id)} · {accepted.channel} · {accepted.language}"
        return place if accepted.severity == "standard" else f"{place} · business-critical"

    def _say(self, at: datetime, kind: str, text: str) -> None:
        self.news.append(News(at, kind, text))
