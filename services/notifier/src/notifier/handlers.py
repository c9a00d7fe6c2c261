"""The topics that the notifier reads and writes, and the decoding of their records."""

from typing import Final

from shared.events import (
    BreachFact,
    ClockFact,
    ClockWarned,
    Envelope,
    Event,
    NotificationFact,
    SpecialistListed,
    TicketAssigned,
    WatermarkAdvanced,
)
from shared.events.codec import Record, Skipped, read
from shared.tickets.due import changes_due_time, skip_redundant_start

__all__ = ["CONSUMES", "EMITS", "decode"]

CONSUMES: Final = (
    TicketAssigned.topic,
    ClockFact.topic,
    BreachFact.topic,
    SpecialistListed.topic,
)
EMITS: Final = (NotificationFact.topic,)


def decode(record: Record) -> Envelope[Event] | Skipped:
    """Decode a record; skip watermarks, and clock events that cause no mail and move no due time.

    Raises:
        Poison: The record cannot be read.
    """
    found = skip_redundant_start(record) or read(record)
    if isinstance(found, Envelope) and _is_unread(found.event):
        return Skipped(found.event.type, is_known=True)
    return found


def _is_unread(event: Event) -> bool:
    """Return whether an event causes no mail and changes no due time that a mail names."""
    if isinstance(event, ClockFact) and not isinstance(event, ClockWarned | BreachFact):
        return not changes_due_time(event)
    return isinstance(event, WatermarkAdvanced)
