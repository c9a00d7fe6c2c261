"""Documents from upstream become facts on ``tickets.v1``, priced by the policy last published."""

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
    PolicyPublished,
    SupportRequest,
    TicketFact,
)
from shared.events.codec import Record, Skipped, describe, read, read_headers, read_json
from shared.postgres import Tx

__all__ = ["CONSUMES", "EMITS", "Document", "Item", "decode", "take"]

CONSUMES: Final = (INBOUND_TOPIC, PolicyPublished.topic)
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


type Item = Document | Envelope[Event]
"""A document, or the event of a policy."""


def decode(record: Record) -> Item | Skipped:
    """Read a record of either topic. Raises Poison."""
    return read(record) if record.topic == PolicyPublished.topic else _document(record)


def _document(record: Record) -> Document:
    """Read plain JSON, or CloudEvents around it."""
    headers = read_headers(record.headers)
    content = read_json(record.value)
    if headers.get("content-type", "").lower().startswith("application/cloudevents+json"):
        content = content.get("data") if isinstance(content, dict) else content
    try:
        return Document(INBOUND.validate_python(content), headers.get("traceparent"))
    except ValidationError as e:
        raise Poison("bad_data", describe(e)) from e


async def take(tx: Tx, items: Sequence[Item], now: datetime) -> None:
    """Save fresh documents and announce what they tell; a policy counts for all of the batch."""
    await store.save_policies(tx, [item for item in items if isinstance(item, Envelope)])
    documents = [item for item in items if isinstance(item, Document)]
    policy = await store.current_policy(tx)
    taken = []
    announced: list[Envelope[Event]] = []
    for document in documents:
        event: Event
        match document.content:
            case SupportRequest() as request:
                acceptance = domain.accept(request, policy, now=now)
                taken.append((request, acceptance))
                event = acceptance.event
            case LaterFact() as fact:
                event = domain.fact_of(fact)
            case _:
                assert_never(document.content)
        announced.append(_envelope(document, event))
    if taken:
        await store.save_tickets(tx, taken, now=now)
    await outbox.add(tx, [*announced, *await _absorbed(tx, documents)])


async def _absorbed(tx: Tx, documents: Sequence[Document]) -> list[Envelope[Event]]:
    """Tell tickets of the duplicates merged into them, once both request and merge have come."""
    merged = [
        (d.content.ticket_id, domain.into_of(d.content), d.id, d.content.occurred_at)
        for d in documents
        if isinstance(d.content, LaterFact) and d.content.type == "merged"
    ]
    if merged:
        await store.save_merges(tx, merged)
    concerned = [d.content.ticket_id for d in documents if _may_complete_a_merge(d.content)]
    merges = await store.merges_known(tx, concerned) if concerned else []
    return [
        Envelope.caused_by(
            merge.document_id,
            domain.absorbed(merge.ticket_id, merge.into_id, merge.create_date),
            source="intake",
            time=merge.occurred_at,
        )
        for merge in merges
    ]


def _may_complete_a_merge(content: Inbound) -> bool:
    return isinstance(content, SupportRequest) or content.type == "merged"


def _envelope(document: Document, event: Event) -> Envelope[Event]:
    return Envelope.caused_by(
        document.id,
        event,
        source="intake",
        time=document.content.occurred_at,
        traceparent=document.traceparent,
    )
