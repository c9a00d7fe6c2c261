"""SQL of infeasible promises."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from router.domain.coverage import Coverage, LanguageQueue
from router.domain.ticket import Ticket, base_language
from shared.platform.postgres import Tx

__all__ = [
    "InfeasibleTicket",
    "PublishedCoverage",
    "infeasible_tickets",
    "load",
    "mark",
    "mark_next",
    "save",
    "unmark",
    "unmark_next",
]

STEP_MAX: Final = 1_000
"""Limit of tickets to publish in one transaction; the sweep continues at once."""
_LISTED_MAX: Final = 500
_INSTANT: Final = timedelta(microseconds=1)

# One query loads coverage and marked tickets, because every decision needs both.
LOAD: Final = """
    SELECT channel, base_language, opens_at, spoken, published_until,
           NULL::uuid AS ticket_id, NULL::timestamptz AS due_at
    FROM coverage
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, NULL, ticket_id, due_at FROM infeasible
    WHERE ticket_id = ANY($1)
"""
SAVE: Final = """
    INSERT INTO coverage (channel, base_language, opens_at, spoken, published_until)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (channel, base_language) DO UPDATE SET
        opens_at = excluded.opens_at, spoken = excluded.spoken,
        published_until = excluded.published_until
"""
# One index range finds the tickets that are due between the published and the new coverage.
MARK_NEXT: Final = """
    WITH found AS (
        SELECT ticket_id, account_id, language, due_at FROM ticket
        WHERE waiting AND channel = $1 AND base_language = $2 AND due_at > $3 AND due_at <= $4
        ORDER BY due_at FETCH FIRST ($5::int) ROWS WITH TIES
    ), marked AS (
        INSERT INTO infeasible (ticket_id, channel, base_language, due_at)
        SELECT ticket_id, $1, $2, due_at FROM found ON CONFLICT DO NOTHING
    )
    SELECT * FROM found
"""
UNMARK_NEXT: Final = """
    DELETE FROM infeasible WHERE ticket_id IN (
        SELECT ticket_id FROM infeasible
        WHERE channel = $1 AND base_language = $2 AND due_at > $3
        ORDER BY due_at DESC FETCH FIRST ($4::int) ROWS WITH TIES)
    RETURNING ticket_id, due_at
"""
MARK: Final = """
    INSERT INTO infeasible (ticket_id, channel, base_language, due_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (ticket_id) DO UPDATE SET due_at = excluded.due_at
"""
UNMARK: Final = "DELETE FROM infeasible WHERE ticket_id = ANY($1)"
LISTED: Final = """
    SELECT ticket_id, account_id, channel, language, due_at, opens_at, spoken
    FROM infeasible JOIN coverage USING (channel, base_language)
    JOIN ticket USING (ticket_id, channel, base_language, due_at)
    WHERE due_at > $1 ORDER BY due_at, ticket_id LIMIT $2
"""


class PublishedCoverage(NamedTuple):
    """The coverage of a queue, and the due time up to which infeasible tickets were published."""

    coverage: Coverage
    published_until: datetime


class InfeasibleTicket(NamedTuple):
    """A waiting ticket that is due before there is coverage."""

    ticket_id: UUID
    account_id: str
    language: str
    due_at: datetime


async def load(
    tx: Tx, ticket_ids: Collection[UUID]
) -> tuple[dict[LanguageQueue, PublishedCoverage], dict[UUID, datetime]]:
    """Load all queues' coverage, and which of the given tickets are marked as infeasible.

    Each of these with the due time for which it was marked.
    """
    rows = await tx.fetch(LOAD, ticket_ids)
    published = {
        LanguageQueue(row["channel"], row["base_language"]): PublishedCoverage(
            Coverage(row["opens_at"], row["spoken"]), row["published_until"]
        )
        for row in rows
        if row["ticket_id"] is None
    }
    marked = {row["ticket_id"]: row["due_at"] for row in rows if row["ticket_id"] is not None}
    return published, marked


async def save(tx: Tx, published: Mapping[LanguageQueue, PublishedCoverage]) -> None:
    """Save coverage."""
    rows = [(*queue, *one.coverage, one.published_until) for queue, one in published.items()]
    if rows:
        await tx.executemany(SAVE, rows)


async def mark_next(
    tx: Tx, queue: LanguageQueue, published: PublishedCoverage, now: datetime
) -> tuple[list[InfeasibleTicket], datetime]:
    """Mark the next tickets that have become infeasible, earliest first.

    Returns them, and the due time up to which all such tickets are marked.
    """
    until, since = published.coverage.opens_at, max(published.published_until, now)
    rows = [
        InfeasibleTicket(*row) for row in await tx.fetch(MARK_NEXT, *queue, since, until, STEP_MAX)
    ]
    return rows, until if len(rows) < STEP_MAX else rows[-1].due_at


async def unmark_next(
    tx: Tx, queue: LanguageQueue, published: PublishedCoverage
) -> tuple[dict[UUID, datetime], datetime]:
    """Unmark the next tickets that have become feasible, latest first.

    Returns them, and the due time up to which tickets are still marked.
    """
    until = published.coverage.opens_at
    found = {row[0]: row[1] for row in await tx.fetch(UNMARK_NEXT, *queue, until, STEP_MAX)}
    return found, until if len(found) < STEP_MAX else min(found.values()) - _INSTANT


async def mark(tx: Tx, tickets: Iterable[Ticket]) -> None:
    """Mark tickets as infeasible."""
    terms = ((ticket, ticket.terms) for ticket in tickets)
    rows = [(t.ticket_id, x.channel, base_language(x.language), t.due_at) for t, x in terms]
    await tx.executemany(MARK, rows)


async def unmark(tx: Tx, ticket_ids: Collection[UUID]) -> None:
    """Unmark tickets."""
    await tx.execute(UNMARK, ticket_ids)


async def infeasible_tickets(tx: Tx, now: datetime) -> list[dict[str, Any]]:
    """Return the infeasible tickets that are not past due, earliest first, at most 500."""
    return [dict(row) for row in await tx.fetch(LISTED, now, _LISTED_MAX)]
