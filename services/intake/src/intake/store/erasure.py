"""The SQL statements that erase a person's data."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from shared.events import ReceiptIssued
from shared.platform.postgres import Tx

__all__ = ["erase_later_texts", "erase_requests", "erase_tickets", "save_erased"]

ERASE_TICKETS: Final = """
    UPDATE ticket SET requester_id = '', subject = '', body = '', phone_number = NULL
    WHERE source = $1 AND requester_id = $2 AND requester_id <> '' RETURNING ticket_id
"""
ERASE_LATER_TEXTS: Final = (
    "UPDATE later_fact SET body = '' WHERE ticket_id = ANY($1) AND body <> ''"
)
ERASE_REQUESTS: Final = """
    UPDATE request SET content = NULL, curable = false
    WHERE content IS NOT NULL
      AND content::jsonb ->> 'source' = $1 AND content::jsonb ->> 'requester_id' = $2
    RETURNING receipt
"""
SAVE_ERASED: Final = """
    UPDATE request SET outcome = 'rejected', held_until = NULL, receipt = $2 WHERE ticket_id = $1
"""


async def erase_requests(tx: Tx, source: str, requester_id: str) -> list[ReceiptIssued]:
    """Delete the content of a person's requests that are no tickets; return their receipts.

    Call it before `erase_tickets`: it waits for a concurrent decision that makes a ticket of a
    request, which `erase_tickets` then finds.
    """
    rows = await tx.fetch(ERASE_REQUESTS, source, requester_id)
    return [ReceiptIssued.model_validate_json(row["receipt"]) for row in rows]


async def erase_later_texts(tx: Tx, ticket_ids: Sequence[UUID]) -> None:
    """Delete the texts of replies to these tickets."""
    await tx.execute(ERASE_LATER_TEXTS, ticket_ids)


async def save_erased(tx: Tx, receipts: Sequence[ReceiptIssued]) -> None:
    """Save the new receipts of erased requests."""
    rows = [(receipt.ticket_id, receipt.model_dump_json()) for receipt in receipts]
    await tx.executemany(SAVE_ERASED, rows)


async def erase_tickets(tx: Tx, source: str, requester_id: str) -> list[UUID]:
    """Delete requester and texts of a person's tickets; return the ids of these tickets."""
    return [row["ticket_id"] for row in await tx.fetch(ERASE_TICKETS, source, requester_id)]
