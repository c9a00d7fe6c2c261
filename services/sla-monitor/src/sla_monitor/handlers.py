"""The topics that sla-monitor consumes and publishes, and how it decodes records."""

from dataclasses import replace
from typing import Final

from shared.events import (
    AssignmentFact,
    BreachFact,
    ClockFact,
    Envelope,
    Event,
    NotificationFact,
    PolicyPublished,
    TicketAccepted,
    TicketFact,
)
from shared.events.codec import Record, Skipped, read

__all__ = ["CONSUMES", "EMITS", "PRIMARY", "SECONDARY", "decode"]

PRIMARY: Final = (TicketFact.topic,)
SECONDARY: Final = (AssignmentFact.topic, NotificationFact.topic, PolicyPublished.topic)
"""Topics with many records that seldom affect a due time: assignments, notifications, exceptions.
A response that is read here after the due time retracts the breach, as any late fact does."""
CONSUMES: Final = (*PRIMARY, *SECONDARY)
EMITS: Final = (ClockFact.topic, BreachFact.topic)


def decode(record: Record) -> Envelope[Event] | Skipped:
    """Decode a fact; drop its telephone number key, which is not stored here. Raises Poison."""
    found = read(record)
    if isinstance(found, Envelope) and isinstance(found.event, TicketAccepted):
        return replace(found, event=found.event.model_copy(update={"number_key": None}))
    return found
