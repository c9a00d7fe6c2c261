"""Every SQL statement of sla-monitor."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, cast
from uuid import UUID

from shared.events import CATALOGUE, Envelope, TicketFact
from shared.postgres import Tx
from sla_monitor.domain import Clock, Fact, next_at

__all__ = ["add_facts", "clocks", "due_clocks", "facts", "lock", "save_clocks", "seconds_to_next"]

_COLUMNS: Final = tuple(field.name for field in fields(Clock))
_VALUES: Final = attrgetter(*_COLUMNS)

LOCK: Final = """
    SELECT pg_advisory_xact_lock(hashtextextended(ticket_id::text, 0))
    FROM unnest($1::uuid[]) AS ticket_id
"""
ADD_FACTS: Final = """
    INSERT INTO fact (ticket_id, fact_id, occurred_at, type, data)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::jsonb[])
    ON CONFLICT DO NOTHING
"""
FACTS: Final = """
    SELECT ticket_id, fact_id, occurred_at, type, data FROM fact WHERE ticket_id = ANY($1)
"""
CLOCKS: Final = """
    SELECT ticket_id, kind, promise_class, account_id, channel, severity, target_s, started_at,
           due_at, warn_at, state, settled_at, warned, broken, broken_id, retractions
    FROM clock WHERE ticket_id = ANY($1) FOR UPDATE
"""
DUE: Final = """
    SELECT premium_now() AS now, next_at,
           ticket_id, kind, promise_class, account_id, channel, severity, target_s, started_at,
           due_at, warn_at, state, settled_at, warned, broken, broken_id, retractions
    FROM clock WHERE next_at <= premium_now()
    ORDER BY next_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""
TO_NEXT: Final = """
    SELECT extract(epoch FROM min(next_at) - premium_now())::float8 FROM clock
    WHERE next_at IS NOT NULL
"""
SAVE: Final = """
    INSERT INTO clock (
        ticket_id, kind, promise_class, account_id, channel, severity, target_s, started_at,
        due_at, warn_at, state, settled_at, warned, broken, broken_id, retractions, next_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
    ON CONFLICT (ticket_id, kind) DO UPDATE SET
        severity = excluded.severity, promise_class = excluded.promise_class,
        target_s = excluded.target_s, started_at = excluded.started_at,
        due_at = excluded.due_at, warn_at = excluded.warn_at, state = excluded.state,
        settled_at = excluded.settled_at, warned = excluded.warned, broken = excluded.broken,
        broken_id = excluded.broken_id, retractions = excluded.retractions,
        next_at = excluded.next_at
"""


async def lock(tx: Tx, ticket_ids: Sequence[UUID]) -> None:
    """Let one transaction at a time work on a ticket; ids come sorted, so that none deadlock."""
    await tx.execute(LOCK, ticket_ids)


async def add_facts(tx: Tx, new: Sequence[Fact]) -> None:
    """Add to the set of facts."""
    await tx.execute(
        ADD_FACTS,
        [fact.event.ticket_id for fact in new],
        [fact.id for fact in new],
        [fact.time for fact in new],
        [fact.event.type for fact in new],
        [fact.event.model_dump_json() for fact in new],
    )


async def facts(tx: Tx, ticket_ids: Sequence[UUID]) -> dict[UUID, list[Fact]]:
    """Read all that is known about some tickets."""
    found: dict[UUID, list[Fact]] = {ticket_id: [] for ticket_id in ticket_ids}
    for row in await tx.fetch(FACTS, ticket_ids):
        event = cast("TicketFact", CATALOGUE[row["type"]].model_validate_json(row["data"]))
        found[row["ticket_id"]].append(
            Envelope(row["fact_id"], "intake", row["occurred_at"], event)
        )
    return found


async def clocks(tx: Tx, ticket_ids: Sequence[UUID]) -> dict[tuple[UUID, str], Clock]:
    """Read and lock the clocks of some tickets, by ticket and kind."""
    rows = await tx.fetch(CLOCKS, ticket_ids)
    return {(row["ticket_id"], row["kind"]): _clock(row) for row in rows}


async def due_clocks(tx: Tx, *, limit: int) -> list[tuple[Clock, datetime, datetime]]:
    """Claim clocks with something to announce, each with the time now and the time it was due.

    Rows that another transaction holds are left to it.
    """
    rows = await tx.fetch(DUE, limit)
    return [(_clock(row), row["now"], row["next_at"]) for row in rows]


async def seconds_to_next(tx: Tx) -> float | None:
    """Measure how long nothing will be due; negative when something already is."""
    wait_s: float | None = await tx.fetchval(TO_NEXT)
    return wait_s


async def save_clocks(tx: Tx, changed: Iterable[Clock]) -> None:
    """Save clocks with the time they next want attention."""
    await tx.executemany(SAVE, [(*_VALUES(clock), next_at(clock)) for clock in changed])


def _clock(row: Any) -> Clock:  # noqa: ANN401 - asyncpg has no types
    values = {name: row[name] for name in _COLUMNS}
    return Clock(**{**values, "warn_at": tuple(row["warn_at"])})
