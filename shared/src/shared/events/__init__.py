"""The vocabulary: every event there is, by its CloudEvents type."""

from typing import Final

from shared.events.assignments import (
    AssignmentReleased,
    TicketAssigned,
    TicketDeclined,
)
from shared.events.base import NAMESPACE, Envelope, Event, TicketEvent, ticket_id_of
from shared.events.clocks import (
    BreachFact,
    ClockCancelled,
    ClockFact,
    ClockMet,
    ClockPaused,
    ClockRepriced,
    ClockResumed,
    ClockStarted,
    ClockWarned,
    PromiseBreached,
    PromiseMissed,
    PromiseRetracted,
)
from shared.events.notifications import (
    AlertKind,
    NotificationFact,
    NotificationFailed,
    NotificationSent,
)
from shared.events.policies import PolicyPublished
from shared.events.requests import INBOUND, Inbound, LaterFact, SupportRequest
from shared.events.specialists import Presence, SpecialistListed, SpecialistRemoved
from shared.events.tickets import (
    CustomerReached,
    CustomerReplied,
    TicketAccepted,
    TicketClosed,
    TicketFact,
    TicketReclassified,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
)

__all__ = [
    "CATALOGUE",
    "INBOUND",
    "INBOUND_TOPIC",
    "NAMESPACE",
    "AlertKind",
    "AssignmentReleased",
    "BreachFact",
    "ClockCancelled",
    "ClockFact",
    "ClockMet",
    "ClockPaused",
    "ClockRepriced",
    "ClockResumed",
    "ClockStarted",
    "ClockWarned",
    "CustomerReached",
    "CustomerReplied",
    "Envelope",
    "Event",
    "Inbound",
    "LaterFact",
    "NotificationFact",
    "NotificationFailed",
    "NotificationSent",
    "PolicyPublished",
    "Presence",
    "PromiseBreached",
    "PromiseMissed",
    "PromiseRetracted",
    "SpecialistListed",
    "SpecialistRemoved",
    "SupportRequest",
    "TicketAccepted",
    "TicketAssigned",
    "TicketClosed",
    "TicketDeclined",
    "TicketEvent",
    "TicketFact",
    "TicketReclassified",
    "TicketReopened",
    "TicketResolved",
    "TicketResponded",
    "TicketResumed",
    "TicketWaiting",
    "dead_letter_topic",
    "ticket_id_of",
]

INBOUND_TOPIC: Final = "inbound.v1"

_EVENTS: Final[tuple[type[Event], ...]] = (
    TicketAccepted,
    TicketResponded,
    CustomerReplied,
    CustomerReached,
    TicketWaiting,
    TicketResumed,
    TicketReclassified,
    TicketResolved,
    TicketReopened,
    TicketClosed,
    TicketAssigned,
    TicketDeclined,
    AssignmentReleased,
    ClockStarted,
    ClockPaused,
    ClockResumed,
    ClockRepriced,
    ClockWarned,
    ClockMet,
    ClockCancelled,
    PromiseBreached,
    PromiseMissed,
    PromiseRetracted,
    NotificationSent,
    NotificationFailed,
    SpecialistListed,
    SpecialistRemoved,
    PolicyPublished,
)

CATALOGUE: Final[dict[str, type[Event]]] = {event.type: event for event in _EVENTS}


def dead_letter_topic(service: str) -> str:
    """Name the topic where ``service`` parks what it can never handle."""
    return f"{service}.dead-letters.v1"
