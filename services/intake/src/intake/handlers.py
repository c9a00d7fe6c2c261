"""Handles records of all topics that intake reads; each document gets a receipt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, TypedDict
from uuid import UUID

from pydantic import ConfigDict, TypeAdapter, ValidationError

from intake import accounts, cloudevents, erasure, roster, service, webhooks
from intake.domain import NumberKeys, receipts
from intake.service import Document
from intake.store import queries
from intake.store import tickets as ticket_store
from shared.basics.errors import Poison
from shared.basics.tracing import context_of
from shared.events import (
    INBOUND,
    INBOUND_TOPIC,
    AccountAnswered,
    AccountListed,
    ClockFact,
    Envelope,
    Event,
    PolicyPublished,
    ReceiptIssued,
    SpecialistListed,
    TicketFact,
)
from shared.events.codec import Record, Skipped, describe, read, read_headers, read_json
from shared.events.requests import Reference
from shared.platform import dead_letters, outbox
from shared.platform.postgres import Tx
from shared.tickets.due import changes_due_time, skip_redundant_start

__all__ = ["CONSUMES", "EMITS", "Item", "decode", "handle_batch"]

CONSUMES: Final = (
    INBOUND_TOPIC,
    PolicyPublished.topic,
    AccountListed.topic,
    SpecialistListed.topic,
    ClockFact.topic,
)
EMITS: Final = (TicketFact.topic, ReceiptIssued.topic, AccountAnswered.topic)
_EVENT_TOPICS: Final = frozenset(CONSUMES) - {INBOUND_TOPIC}


class _Identity(TypedDict):
    source: Reference
    external_id: Reference


_IDENTITY: Final = TypeAdapter(Annotated[_Identity, ConfigDict(extra="ignore")])


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A document read from Kafka; ``id`` is that of the record, so a copy gets its own receipt."""

    id: UUID
    record: Record
    document: Document


@dataclass(frozen=True, slots=True)
class InvalidRecord:
    """An invalid document with valid source and external id; it is parked, and answered."""

    id: UUID
    record: Record
    why: Poison
    source: str
    external_id: str


@dataclass(frozen=True, slots=True)
class WebhookRecord:
    """A webhook event that was redriven; it is mapped by the connection's present mapping."""

    id: UUID
    record: Record
    connection: str
    event: Any
    traceparent: str | None


type Item = (
    DocumentRecord
    | InvalidRecord
    | WebhookRecord
    | accounts.AccountRecord
    | accounts.UnreadableRecord
    | Envelope[Event]
)
"""A document, a webhook's event, or the event of a policy, an account, a specialist or a clock."""


def decode(record: Record) -> Item | Skipped:
    """Read a record of any of the topics.

    Raises:
        Poison: The record cannot be read, and names no sender who could get a receipt.
    """
    if record.topic == ClockFact.topic:
        return _clock(record)
    if record.topic == AccountListed.topic:
        return accounts.decode(record)
    if record.topic in _EVENT_TOPICS:
        return read(record)
    record_id = dead_letters.id_of(record)
    headers = read_headers(record.headers, webhooks.CONNECTION)
    if (connection := headers.get(webhooks.CONNECTION)) is not None:
        trace = context_of(headers.get("traceparent"), headers.get("tracestate"))
        return WebhookRecord(record_id, record, connection, read_json(record.value), trace)
    received = _read_document(record, headers)
    try:
        document = Document(INBOUND.validate_python(received.content), received.traceparent)
    except ValidationError as e:
        why = Poison("bad_data", describe(e))
        identity = _identity_of(received.content)
        if identity is None:
            raise why from e
        return InvalidRecord(record_id, record, why, *identity)
    return DocumentRecord(record_id, record, document)


def _identity_of(content: Any) -> tuple[str, str] | None:  # noqa: ANN401 - JSON is any
    """Read source and external id of an invalid document; None when they are invalid, too."""
    try:
        identity = _IDENTITY.validate_python(content)
    except ValidationError:
        return None
    return identity["source"], identity["external_id"]


def _clock(record: Record) -> Envelope[Event] | Skipped:
    """Read a clock event; skip it unless it changes a due time."""
    found = skip_redundant_start(record) or read(record)
    if isinstance(found, Envelope) and not changes_due_time(found.event):
        return Skipped(found.event.type, is_known=True)
    return found


def _read_document(record: Record, headers: Mapping[str, str]) -> cloudevents.ReceivedEvent:
    """Read a document: a structured or binary CloudEvent, or plain JSON."""
    trace = context_of(headers.get("traceparent"), headers.get("tracestate"))
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == cloudevents.STRUCTURED:
        content, own = cloudevents.structured(read_json(record.value))
    elif "ce_specversion" in headers:
        content, own = cloudevents.binary(headers, record.value, "ce_")
    else:
        content, own = read_json(record.value), None
    return cloudevents.ReceivedEvent(content, own or trace)


async def handle_batch(tx: Tx, items: Sequence[Item], now: datetime, *, keys: NumberKeys) -> None:
    """Save policies, accounts, clocks and the roster first, then answer each document."""
    events = [item for item in items if isinstance(item, Envelope)]
    await ticket_store.save_policies(tx, events)
    await queries.save_clocks(tx, events)
    await roster.save(tx, events)
    listed = [item for item in items if isinstance(item, accounts.AccountRecord)]
    await service.list_accounts(tx, listed, now, keys)
    unreadable = [item for item in items if isinstance(item, accounts.UnreadableRecord)]
    await outbox.add(tx, [await accounts.park(tx, item, now) for item in unreadable])
    documents = [item for item in items if isinstance(item, DocumentRecord)]
    for item in items:
        if isinstance(item, WebhookRecord):
            documents += await _document_of_webhook(tx, item, now)
    answers = await service.receive(tx, [item.document for item in documents], keys)
    duplicates = [
        service.receipt_event(item.id, receipt, now, item.document.traceparent)
        for item, receipt in zip(documents, answers, strict=True)
        if receipt.outcome == "duplicate"
    ]
    await outbox.add(tx, duplicates)
    invalid = [
        _invalid(item, receipt)
        for item, receipt in zip(documents, answers, strict=True)
        if receipt.reason == "bad_data"
    ]
    await _reject(tx, [*invalid, *(i for i in items if isinstance(i, InvalidRecord))], now)


async def _document_of_webhook(tx: Tx, item: WebhookRecord, now: datetime) -> list[DocumentRecord]:
    """Read a webhook's event again; park it again if it is still no valid document."""
    connection = await webhooks.connection(tx, item.connection)
    if connection is None:
        fault = f"connection: there is no {item.connection!r}; apply it, then redrive"
        await webhooks.park(tx, item.connection, item.event, fault)
        return []
    match webhooks.meaning(connection, item.event):
        case webhooks.MappedDocument(content):
            return [DocumentRecord(item.id, item.record, Document(content, item.traceparent))]
        case webhooks.Erasure(subject_id):
            await erasure.erase(tx, connection.mapping.source, subject_id, now)
        case webhooks.InvalidEvent(fault):
            await webhooks.park(tx, item.connection, item.event, fault)
        case webhooks.Ignored():
            pass
    return []


def _invalid(item: DocumentRecord, receipt: ReceiptIssued) -> InvalidRecord:
    why = Poison("bad_data", receipt.remedy or "")
    return InvalidRecord(item.id, item.record, why, receipt.source, receipt.external_id)


async def _reject(tx: Tx, invalid: Sequence[InvalidRecord], now: datetime) -> None:
    for item in invalid:
        await dead_letters.park(tx, item.record, item.why, service="intake", attempts=1)
        receipt = receipts.unreadable(item.source, item.external_id, item.why.detail)
        await outbox.add(tx, [service.receipt_event(item.id, receipt, now)])
