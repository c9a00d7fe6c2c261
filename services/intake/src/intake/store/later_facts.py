"""Every SQL statement about later facts and merges."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from intake.domain import KnownTicket
from shared.events import CATALOGUE, Envelope, Event
from shared.platform.postgres import Tx

__all__ = [
    "Merge",
    "StoredFact",
    "facts",
    "known_documents",
    "mark_counted",
    "merges_of",
    "move_fact",
    "open_merges",
    "save_facts",
    "save_merge",
    "tickets",
]

_SOURCE: Final = "intake"

KNOWN_DOCUMENTS: Final = """
    SELECT fact_id FROM later_fact WHERE fact_id = ANY($1)
    UNION SELECT document_id FROM merge WHERE document_id = ANY($1)
"""
SAVE_FACTS: Final = """
    INSERT INTO later_fact
        (fact_id, ticket_id, counts_for, occurred_at, type, event, body, traceparent)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING
"""
FACTS: Final = """
    SELECT counts_for, fact_id, occurred_at, type, event, traceparent FROM later_fact
    WHERE counts_for = ANY($1) ORDER BY occurred_at, fact_id
"""
MOVE_FACT: Final = "UPDATE later_fact SET counts_for = $2, event = $3 WHERE fact_id = $1"
TICKETS: Final = """
    SELECT ticket_id, source, external_id, channel, create_date, reopen_within_s,
           requester_id = '' AS is_erased
    FROM ticket WHERE ticket_id = ANY($1)
"""
# FOR SHARE makes `open_merges` wait for transactions that record facts of the merged tickets.
MERGES_OF: Final = """
    SELECT ticket_id, into_id, document_id, occurred_at, counts, traceparent FROM merge
    WHERE ticket_id = ANY($1) ORDER BY document_id FOR SHARE
"""
OPEN_MERGES: Final = """
    SELECT ticket_id, into_id, document_id, occurred_at, counts, traceparent FROM merge
    WHERE NOT counts AND (ticket_id = ANY($1) OR into_id = ANY($1))
    ORDER BY occurred_at, document_id FOR UPDATE
"""
SAVE_MERGE: Final = """
    INSERT INTO merge (ticket_id, into_id, document_id, occurred_at, counts, traceparent)
    VALUES ($1, $2, $3, $4, $5, $6)
"""
MARK_COUNTED: Final = "UPDATE merge SET counts = true WHERE document_id = $1"


class Merge(NamedTuple):
    """A merge of one ticket into another; it ``counts`` once both tickets exist."""

    ticket_id: UUID
    into_id: UUID
    document_id: UUID
    occurred_at: datetime
    counts: bool
    traceparent: str | None


class StoredFact(NamedTuple):
    """A fact as stored. ``ticket_id`` is the ticket named; ``event`` has the one it counts for."""

    id: UUID
    ticket_id: UUID
    event: Event
    at: datetime
    body: str = ""
    traceparent: str | None = None


async def known_documents(tx: Tx, document_ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these documents were recorded before."""
    return {row[0] for row in await tx.fetch(KNOWN_DOCUMENTS, document_ids)}


async def save_facts(tx: Tx, saved: Iterable[StoredFact]) -> None:
    """Save facts."""
    rows = [
        (
            *(each.id, each.ticket_id, UUID(each.event.subject), each.at),
            *(each.event.type, each.event.model_dump_json(), each.body, each.traceparent),
        )
        for each in saved
    ]
    if rows:
        await tx.executemany(SAVE_FACTS, rows)


async def facts(tx: Tx, ticket_ids: Sequence[UUID]) -> dict[UUID, list[Envelope[Event]]]:
    """Read the facts that count for some tickets, in order of time."""
    found: dict[UUID, list[Envelope[Event]]] = defaultdict(list)
    for row in await tx.fetch(FACTS, ticket_ids):
        found[row["counts_for"]].append(_fact(row))
    return found


async def move_fact(tx: Tx, fact_id: UUID, event: Event) -> None:
    """Make a fact count for another ticket: the subject of ``event``."""
    await tx.execute(MOVE_FACT, fact_id, UUID(event.subject), event.model_dump_json())


async def tickets(tx: Tx, ticket_ids: Iterable[UUID]) -> dict[UUID, KnownTicket]:
    """Read the tickets that exist among these ids."""
    return {
        row["ticket_id"]: KnownTicket(**row) for row in await tx.fetch(TICKETS, list(ticket_ids))
    }


async def merges_of(tx: Tx, ticket_ids: Iterable[UUID]) -> dict[UUID, Merge]:
    """Read and lock the merges of these tickets into others."""
    rows = await tx.fetch(MERGES_OF, list(ticket_ids))
    return {row["ticket_id"]: Merge(*row) for row in rows}


async def open_merges(tx: Tx, ticket_ids: Sequence[UUID]) -> list[Merge]:
    """Read and lock the merges from or into these tickets that do not count yet, earliest first."""
    return [Merge(*row) for row in await tx.fetch(OPEN_MERGES, ticket_ids)]


async def save_merge(tx: Tx, merge: Merge) -> None:
    """Save a merge."""
    await tx.execute(SAVE_MERGE, *merge)


async def mark_counted(tx: Tx, document_id: UUID) -> None:
    """Mark a merge as one that counts."""
    await tx.execute(MARK_COUNTED, document_id)


def _fact(row: Any) -> Envelope[Event]:  # noqa: ANN401 - asyncpg has no types
    event = CATALOGUE[row["type"]].model_validate_json(row["event"])
    return Envelope(row["fact_id"], _SOURCE, row["occurred_at"], event, row["traceparent"])
