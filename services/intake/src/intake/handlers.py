"""Documents from upstream become facts on ``tickets.v1``, and each gets its receipt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

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
from shared.platform import dead_letters, outbox
from shared.platform.postgres import Tx
from shared.tickets.due import changes_due_time, skip_redundant_start

__all__ = ["CONSUMES", "EMITS", "Item", "decode", "take"]

CONSUMES: Final = (
    INBOUND_TOPIC,
    PolicyPublished.topic,
    AccountListed.topic,
    SpecialistListed.topic,
    ClockFact.topic,
)
EMITS: Final = (TicketFact.topic, ReceiptIssued.topic, AccountAnswered.topic)
_TOLD: Final = frozenset(CONSUMES) - {INBOUND_TOPIC}


@dataclass(frozen=True, slots=True)
class Posted:
    """A document as it came by Kafka: its place names it, so that a copy is answered as well."""

    id: UUID
    record: Record
    document: Document


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that says whose it is, but cannot be read: it is parked, and its sender is told."""

    id: UUID
    record: Record
    why: Poison
    source: str
    external_id: str


@dataclass(frozen=True, slots=True)
class Hooked:
    """A webhook's event, redriven: what it means its connection says, as it is now."""

    id: UUID
    record: Record
    connection: str
    event: Any
    traceparent: str | None


type Item = Posted | Refused | Hooked | accounts.Told | accounts.Unlisted | Envelope[Event]
"""A document, a webhook's event, or the event of a policy, an account, a specialist or a clock."""


def decode(record: Record) -> Item | Skipped:
    """Read a record of any of the topics. Raises Poison where there is nobody to be told."""
    if record.topic == ClockFact.topic:
        return _clock(record)
    if record.topic == AccountListed.topic:
        return accounts.decode(record)
    if record.topic in _TOLD:
        return read(record)
    place = dead_letters.id_of(record)
    headers = read_headers(record.headers, webhooks.CONNECTION)
    if (connection := headers.get(webhooks.CONNECTION)) is not None:
        trace = context_of(headers.get("traceparent"), headers.get("tracestate"))
        return Hooked(place, record, connection, read_json(record.value), trace)
    sent = _sent(record, headers)
    try:
        document = Document(INBOUND.validate_python(sent.content), sent.traceparent)
    except ValidationError as e:
        why = Poison("bad_data", describe(e))
        identity = service.identity_of(sent.content)
        if identity is None:
            raise why from e
        return Refused(place, record, why, *identity)
    return Posted(place, record, document)


def _clock(record: Record) -> Envelope[Event] | Skipped:
    """Read of clocks what moves a due time: the rest was said when the ticket was accepted."""
    found = skip_redundant_start(record) or read(record)
    if isinstance(found, Envelope) and not changes_due_time(found.event):
        return Skipped(found.event.type, is_known=True)
    return found


def _sent(record: Record, headers: Mapping[str, str]) -> cloudevents.Sent:
    """Read a document: as a CloudEvent of either mode, or bare."""
    trace = context_of(headers.get("traceparent"), headers.get("tracestate"))
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == cloudevents.STRUCTURED:
        content, own = cloudevents.structured(read_json(record.value))
    elif "ce_specversion" in headers:
        content, own = cloudevents.binary(headers, record.value, "ce_")
    else:
        content, own = read_json(record.value), None
    return cloudevents.Sent(content, own or trace)


async def take(tx: Tx, items: Sequence[Item], now: datetime, *, keys: NumberKeys) -> None:
    """Answer each document; policies, accounts and the roster count for all of the batch."""
    told = [item for item in items if isinstance(item, Envelope)]
    await ticket_store.save_policies(tx, told)
    await queries.save_clocks(tx, told)
    await roster.keep(tx, told)
    listed = [item for item in items if isinstance(item, accounts.Told)]
    await service.list_accounts(tx, listed, now, keys)
    unlisted = [i for i in items if isinstance(i, accounts.Unlisted)]
    await outbox.add(tx, [await accounts.park(tx, item, now) for item in unlisted])
    posted = [item for item in items if isinstance(item, Posted)]
    for item in items:
        if isinstance(item, Hooked):
            posted += await _unhooked(tx, item, now)
    answers = await service.receive(tx, [item.document for item in posted], keys)
    copies = [
        service.announced(item.id, receipt, now, item.document.traceparent)
        for item, receipt in zip(posted, answers, strict=True)
        if receipt.outcome == "duplicate"
    ]
    await outbox.add(tx, copies)
    untimely = [
        _refused(item, receipt)
        for item, receipt in zip(posted, answers, strict=True)
        if receipt.reason == "bad_data"
    ]
    await _refuse(tx, [*untimely, *(i for i in items if isinstance(i, Refused))], now)


async def _unhooked(tx: Tx, item: Hooked, now: datetime) -> list[Posted]:
    """Read a webhook's event again; what is still no document is parked again."""
    connection = await webhooks.connection(tx, item.connection)
    if connection is None:
        gone = f"connection: there is no {item.connection!r} (any more); apply it, then redrive"
        await webhooks.park(tx, item.connection, item.event, gone)
        return []
    match webhooks.meaning(connection, item.event, None):
        case webhooks.Taken(content):
            return [Posted(item.id, item.record, Document(content, item.traceparent))]
        case webhooks.Erasure(subject_id):
            await erasure.erase(tx, connection.mapping.source, subject_id, now)
        case webhooks.Refusal(fault):
            await webhooks.park(tx, item.connection, item.event, fault)
        case webhooks.Ignored():
            pass
    return []


def _refused(item: Posted, receipt: ReceiptIssued) -> Refused:
    why = Poison("bad_data", receipt.remedy or "")
    return Refused(item.id, item.record, why, receipt.source, receipt.external_id)


async def _refuse(tx: Tx, refused: Sequence[Refused], now: datetime) -> None:
    for item in refused:
        await dead_letters.park(tx, item.record, item.why, service="intake", attempts=1)
        receipt = receipts.bad(item.source, item.external_id, item.why.detail)
        await outbox.add(tx, [service.announced(item.id, receipt, now)])
