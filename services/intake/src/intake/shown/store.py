"""What senders may see of what they sent: the SQL of reading back."""

import json
from typing import Any, Final
from uuid import UUID

from shared.events import ticket_id_of
from shared.postgres import Tx

__all__ = ["details", "note_reading", "receipt", "ticket"]

TICKET: Final = """
    SELECT ticket_id, source, external_id, account_id, channel, severity, claimed_severity,
           language, tier, region, policy, rule, promises, no_promise, create_date
    FROM ticket WHERE ticket_id = $1
"""
RECEIPT: Final = "SELECT receipt FROM request WHERE ticket_id = $1"
DETAILS: Final = """
    SELECT ticket_id, source, account_id, requester_id, language, subject, body, phone_number
    FROM ticket WHERE ticket_id = $1
"""
WORDS: Final = """
    SELECT occurred_at, body, nullif(ticket_id, $1) AS written_on FROM later_fact
    WHERE (ticket_id = $1 OR counts_for = $1) AND body <> '' ORDER BY occurred_at, fact_id
"""
NOTE_READING: Final = """
    INSERT INTO details_read (ticket_id, tenant, prefix) VALUES ($1, $2, $3)
"""


async def ticket(tx: Tx, ticket_id: UUID) -> dict[str, Any] | None:
    """Read what upstream may see of a ticket; None when there is none."""
    row = await tx.fetchrow(TICKET, ticket_id)
    return None if row is None else {**row, "promises": json.loads(row["promises"])}


async def receipt(tx: Tx, source: str, external_id: str) -> str | None:
    """Read what was answered to a request last, as JSON; None when it never came."""
    found: str | None = await tx.fetchval(RECEIPT, ticket_id_of(source, external_id))
    return found


async def details(tx: Tx, ticket_id: UUID) -> dict[str, Any] | None:
    """Read what a customer wrote, and who it was; None when there is no such ticket."""
    row = await tx.fetchrow(DETAILS, ticket_id)
    if row is None:
        return None
    return {**row, "words": [dict(word) for word in await tx.fetch(WORDS, ticket_id)]}


async def note_reading(tx: Tx, ticket_id: UUID, tenant: str, prefix: str) -> None:
    """Keep who looked at a ticket's details, for audit."""
    await tx.execute(NOTE_READING, ticket_id, tenant, prefix)
