"""The SQL of the read API: tickets, receipts and customers' texts, with current due times."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from intake.domain.due_times import receipt_now, with_due
from shared.events import ClockFact, Envelope, Event, ReceiptIssued, ticket_id_of
from shared.platform.postgres import Tx
from shared.tickets.due import CLOCKS_ADAPTER, ClockView, update_clock

__all__ = ["details", "note_reading", "receipt", "save_clocks", "ticket"]

TICKET: Final = """
    SELECT ticket_id, source, external_id, account_id, channel, severity, claimed_severity,
           language, tier, region, policy, rule, promises, no_promise, create_date, clocks
    FROM ticket WHERE ticket_id = $1
"""
RECEIPT: Final = """
    SELECT receipt, coalesce(clocks, '{}') AS clocks
    FROM request LEFT JOIN ticket USING (ticket_id) WHERE ticket_id = $1
"""
SAVE_CLOCKS: Final = """
    UPDATE ticket SET clocks = ticket.clocks || new.clocks
    FROM unnest($1::uuid[], $2::jsonb[]) AS new (ticket_id, clocks)
    WHERE ticket.ticket_id = new.ticket_id
"""
DETAILS: Final = """
    SELECT ticket_id, source, account_id, requester_id, language, subject, body, phone_number
    FROM ticket WHERE ticket_id = $1
"""
LATER_TEXTS: Final = """
    SELECT occurred_at, body, nullif(ticket_id, $1) AS written_on FROM later_fact
    WHERE (ticket_id = $1 OR counts_for = $1) AND body <> '' ORDER BY occurred_at, fact_id
"""
NOTE_READING: Final = """
    INSERT INTO details_read (ticket_id, tenant, prefix) VALUES ($1, $2, $3)
"""


async def ticket(tx: Tx, ticket_id: UUID) -> dict[str, Any] | None:
    """Read a ticket without the customer's texts, as upstream systems see it; None if unknown."""
    row = await tx.fetchrow(TICKET, ticket_id)
    if row is None:
        return None
    found = dict(row)
    clocks = CLOCKS_ADAPTER.validate_json(found.pop("clocks"))
    return {**found, "promises": with_due(json.loads(row["promises"]), clocks)}


async def receipt(tx: Tx, source: str, external_id: str) -> str | None:
    """Read the last receipt of a request, as JSON, with the current due times.

    None when no such request was received.
    """
    row = await tx.fetchrow(RECEIPT, ticket_id_of(source, external_id))
    if row is None:
        return None
    answered: str = row["receipt"]
    if not (clocks := CLOCKS_ADAPTER.validate_json(row["clocks"])):
        return answered
    return receipt_now(ReceiptIssued.model_validate_json(answered), clocks).model_dump_json()


async def save_clocks(tx: Tx, events: Iterable[Envelope[Event]]) -> None:
    """Save the due times that sla-monitor published; the last record of each clock counts."""
    found: defaultdict[UUID, dict[str, ClockView]] = defaultdict(dict)
    for envelope in events:
        if isinstance(event := envelope.event, ClockFact):
            clocks = found[event.ticket_id]
            clocks[event.discriminator] = update_clock(None, event, envelope.time)
    if found:
        written = [CLOCKS_ADAPTER.dump_json(clocks).decode() for clocks in found.values()]
        await tx.execute(SAVE_CLOCKS, [*found], written)


async def details(tx: Tx, ticket_id: UUID) -> dict[str, Any] | None:
    """Read a ticket's requester, texts and later messages; None when there is no such ticket."""
    row = await tx.fetchrow(DETAILS, ticket_id)
    if row is None:
        return None
    return {**row, "words": [dict(text) for text in await tx.fetch(LATER_TEXTS, ticket_id)]}


async def note_reading(tx: Tx, ticket_id: UUID, tenant: str, prefix: str) -> None:
    """Save which key read a ticket's details, for audit."""
    await tx.execute(NOTE_READING, ticket_id, tenant, prefix)
