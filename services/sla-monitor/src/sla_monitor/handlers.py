"""The topics that sla-monitor reads and writes, and how their records are read."""

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

__all__ = ["CONSUMES", "EMITS", "PATIENTLY", "PROMPTLY", "decode"]

PROMPTLY: Final = (TicketFact.topic,)
PATIENTLY: Final = (AssignmentFact.topic, NotificationFact.topic, PolicyPublished.topic)
"""What seldom decides and comes in numbers: in whose hands time went, what a specialist said at
our desk, what was declared. An answer that comes late disproves a breach, as any late fact does."""
CONSUMES: Final = (*PROMPTLY, *PATIENTLY)
EMITS: Final = (ClockFact.topic, BreachFact.topic)


def decode(record: Record) -> Envelope[Event] | Skipped:
    """Read a fact; by which number somebody is called is not kept here. Raises Poison."""
    found = read(record)
    if isinstance(found, Envelope) and isinstance(found.event, TicketAccepted):
        return replace(found, event=found.event.model_copy(update={"number_key": None}))
    return found
