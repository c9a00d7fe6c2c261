"""The topics that notifier reads and writes, and which of their records it takes."""

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
    """Read a fact; what proves silence each second is for nobody's eyes. Raises Poison."""
    found = skip_redundant_start(record) or read(record)
    if isinstance(found, Envelope) and _is_unread(found.event):
        return Skipped(found.event.type, is_known=True)
    return found


def _is_unread(event: Event) -> bool:
    """Tell of clocks what is neither mailed nor moves what a mail says."""
    if isinstance(event, ClockFact) and not isinstance(event, ClockWarned | BreachFact):
        return not changes_due_time(event)
    return isinstance(event, WatermarkAdvanced)
