"""The topics that router reads and writes, and the decoder of its records."""

from typing import Final

from shared.events import ClockFact, Envelope, Event, SpecialistListed, TicketFact
from shared.events.assignments import AssignmentFact
from shared.events.codec import Record, Skipped, read
from shared.tickets.due import changes_due_time, skip_redundant_start

__all__ = ["CONSUMES", "EMITS", "decode"]

CONSUMES: Final = (TicketFact.topic, SpecialistListed.topic, ClockFact.topic)
EMITS: Final = (AssignmentFact.topic,)


def decode(record: Record) -> Envelope[Event] | Skipped:
    """Decode a record; skip clock events that move no due time.

    Raises:
        Poison: the record is malformed.
    """
    found = skip_redundant_start(record) or read(record)
    if isinstance(found, Envelope) and isinstance(found.event, ClockFact):
        return found if changes_due_time(found.event) else Skipped(found.event.type, is_known=True)
    return found
