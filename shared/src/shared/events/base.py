"""An event is a fact about one ticket; an envelope says when, whence and under which id.

Wire form: CloudEvents 1.0, Kafka binary mode (see `codec`). Ids are derived from their cause,
so that handling the same cause twice announces the same event, and readers drop the second.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, override
from uuid import UUID, uuid5

from pydantic import AwareDatetime, BaseModel, ConfigDict

__all__ = ["NAMESPACE", "Envelope", "Event", "Moment", "ticket_id_of"]

NAMESPACE = UUID("6f1f0d6e-6a0e-5b0b-9d0a-2b1a5c9f7d11")

type Moment = AwareDatetime
"""An instant with a zone; written in UTC."""


class Event(BaseModel):
    """One kind of fact. Unknown fields are ignored, so that a newer writer harms nobody."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    topic: ClassVar[str]
    type: ClassVar[str]

    @property
    def subject(self) -> str:
        """What the fact is about; also the Kafka key, so that order per subject survives."""
        raise NotImplementedError

    @property
    def discriminator(self) -> str:
        """Tells apart two events of one type that one cause gives rise to."""
        return ""


class TicketEvent(Event):
    """A fact about a ticket."""

    ticket_id: UUID

    @property
    @override
    def subject(self) -> str:
        """The ticket."""
        return str(self.ticket_id)


@dataclass(frozen=True, slots=True)
class Envelope[E: Event]:
    """An event with its CloudEvents attributes. ``time`` is when it happened, in UTC.

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
        """Wrap what ``cause`` (an event id, or a timer's) gave rise to, under a derived id."""
        name = f"{event.type}/{event.discriminator}" if event.discriminator else event.type
        return Envelope(uuid5(cause, name), source, time, event, traceparent)


def ticket_id_of(source: str, external_id: str) -> UUID:
    """Name the ticket of an upstream reference.

    Derived, not drawn: a reply that overtakes its request already knows its ticket.
    """
    return uuid5(NAMESPACE, f"{source}\x1f{external_id}")
