"""The SQL that forgets a person."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from shared.events import ReceiptIssued
from shared.platform.postgres import Tx

__all__ = ["erase_requests", "erase_tickets", "erase_words", "save_erased"]

ERASE_TICKETS: Final = """
    UPDATE ticket SET requester_id = '', subject = '', body = '', phone_number = NULL
    WHERE source = $1 AND requester_id = $2 AND requester_id <> '' RETURNING ticket_id
"""
ERASE_WORDS: Final = "UPDATE later_fact SET body = '' WHERE ticket_id = ANY($1) AND body <> ''"
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
    """Forget what was written in requests that are no tickets; what was answered comes back.

    Before the tickets: a request that becomes one at this moment is waited for, and then seen.
    """
    rows = await tx.fetch(ERASE_REQUESTS, source, requester_id)
    return [ReceiptIssued.model_validate_json(row["receipt"]) for row in rows]


async def erase_words(tx: Tx, ticket_ids: Sequence[UUID]) -> None:
    """Forget what was written later."""
    await tx.execute(ERASE_WORDS, ticket_ids)


async def save_erased(tx: Tx, receipts: Sequence[ReceiptIssued]) -> None:
    """Keep what is answered to erased requests from now on."""
    rows = [(receipt.ticket_id, receipt.model_dump_json()) for receipt in receipts]
    await tx.executemany(SAVE_ERASED, rows)


async def erase_tickets(tx: Tx, source: str, requester_id: str) -> list[UUID]:
    """Forget who asked and what was written; the tickets it was written in come back."""
    return [row["ticket_id"] for row in await tx.fetch(ERASE_TICKETS, source, requester_id)]
