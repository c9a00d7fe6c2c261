"""Documents from upstream, by whichever door, become facts on ``tickets.v1``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never
from uuid import UUID

from pydantic import ValidationError

from intake import domain, store
from shared import outbox
from shared.errors import Poison
from shared.events import (
    INBOUND,
    INBOUND_TOPIC,
    Envelope,
    Event,
    Inbound,
    LaterFact,
    SupportRequest,
    TicketFact,
)
from shared.events.codec import Record, describe, read_headers, read_json
from shared.postgres import Tx

__all__ = ["CONSUMES", "EMITS", "Document", "decode", "take"]

CONSUMES: Final = (INBOUND_TOPIC,)
EMITS: Final = (TicketFact.topic,)


@dataclass(frozen=True, slots=True)
class Document:
    """A document that came in. Its id is the same for every copy, whatever the door."""

    content: Inbound
    traceparent: str | None

    @property
    def id(self) -> UUID:
        """What the inbox claims."""
        return self.content.document_id


def decode(record: Record) -> Document:
    """Read a record of ``inbound.v1``: plain JSON, or CloudEvents around it. Raises Poison."""
    headers = read_headers(record.headers)
    content = read_json(record.value)
    if headers.get("content-type", "").lower().startswith("application/cloudevents+json"):
        content = content.get("data") if isinstance(content, dict) else content
    try:
        return Document(INBOUND.validate_python(content), headers.get("traceparent"))
    except ValidationError as e:
        raise Poison("bad_data", describe(e)) from e


async def take(tx: Tx, documents: Sequence[Document], now: datetime) -> None:
    """Save fresh documents and announce what they tell."""
    taken = []
    announced: list[Envelope[Event]] = []
    for document in documents:
        event: Event
        match document.content:
            case SupportRequest() as request:
                acceptance = domain.accept(request)
                taken.append((request, acceptance))
                event = acceptance.event
            case LaterFact() as fact:
                event = domain.fact_of(fact)
            case _:
                assert_never(document.content)
        announced.append(_envelope(document, event))
    if taken:
        await store.save_tickets(tx, taken, now=now)
    await outbox.add(tx, announced)


def _envelope(document: Document, event: Event) -> Envelope[Event]:
    return Envelope.caused_by(
        document.id,
        event,
        source="intake",
        time=document.content.occurred_at,
        traceparent=document.traceparent,
    )
