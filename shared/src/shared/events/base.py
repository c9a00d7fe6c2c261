"""The base of all events, and the envelope with an event's id, source and time.

Wire format: CloudEvents 1.0, Kafka binary mode (see `codec`). An event's id is derived from its
cause: handling the same cause twice announces the same id, and consumers drop the second.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, override
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict

__all__ = ["NAMESPACE", "Envelope", "Event", "Moment", "ticket_id_of"]

NAMESPACE = UUID("6f1f0d6e-6a0e-5b0b-9d0a-2b1a5c9f7d11")

type Moment = AwareDatetime
"""An instant with a time zone; serialised in UTC."""


class Event(BaseModel):
    """An event type. Unknown fields are ignored, so that old readers accept newer writers."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    topic: ClassVar[str]
    type: ClassVar[str]

    @property
    def subject(self) -> str:
        """The id of what the event is about; also the Kafka key, which keeps order per subject."""
        raise NotImplementedError

    @property
    def discriminator(self) -> str:
        """Distinguishes events of one type with the same cause."""
        return ""


class TicketEvent(Event):
    """An event about a ticket."""

    ticket_id: UUID

    @property
    @override
    def subject(self) -> str:
        """The ticket's id."""
        return str(self.ticket_id)


@dataclass(frozen=True, slots=True)
class Envelope[E: Event]:
    """An event with its CloudEvents attributes. ``time`` is when the event occurred, in UTC.

    ``traceparent`` is a whole trace context (`shared.basics.tracing`).
    """

    id: UUID
    source: str
    time: datetime
    event: E
    traceparent: str | None = None

    @staticmethod
    def caused_by[T: Event](
        cause: UUID,
        event: T,
        *,
        source: str,
        time: datetime,
        traceparent: str | None = None,
    ) -> "Envelope[T]":
        """Wrap an event that ``cause`` (the id of an event or timer) led to; derive its id."""
        name = f"{event.type}/{event.discriminator}" if event.discriminator else event.type
        return Envelope(uuid5(cause, name), source, time, event, traceparent)


def ticket_id_of(source: str, external_id: str) -> UUID:
    """Derive the ticket's id from an upstream reference.

    So a reply that arrives before its request already refers to the right ticket.
    """
    return uuid5(NAMESPACE, f"{source}\x1f{external_id}")
