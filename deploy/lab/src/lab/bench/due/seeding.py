"""SQL on sla-monitor's tables: inserts, inspects and counts clocks."""

import json
from datetime import datetime
from typing import Final

import asyncpg

from lab.bench.due.batch import Batch
from shared.events import TicketAccepted

__all__ = [
    "TOPIC",
    "bytes_per_clock",
    "clear",
    "covered",
    "is_any_due",
    "is_unfinished",
    "open_count",
    "poll_ms",
    "seed",
    "seed_accepted",
    "settle",
]

TOPIC: Final = "breaches.v1"
"""The topic of records about due clocks, keyed by ticket."""

_SEED: Final = """
    INSERT INTO clock (
        ticket_id, started_by, kind, promise_class, account_id, channel, severity, target_s,
        started_at, due_at, warnings, warned_s, state, phases, retractions, next_at,
        partition)
    SELECT md5($1 || '/' || n)::uuid, md5($1 || '/' || n)::uuid, 'first_response', 'guarantee',
           'account-' || n % 100, 'email', 'standard', 3600, due_at - interval '1 hour',
           due_at, '[[1800,1800000000],[2880,2880000000]]', 2880,
           'running', '[["intake",0],["routing",4000],["notifier",9000],["assigned",90000]]', 0,
           due_at, partition
    FROM generate_series(0, $2::bigint - 1) AS n
    CROSS JOIN LATERAL (SELECT $3::timestamptz + n * $4::interval AS due_at) AS promised
    JOIN watermark ON partition = n % (SELECT count(*) FROM watermark)
"""
_SEED_ACCEPTED: Final = """
    WITH accepted AS (
        INSERT INTO fact (ticket_id, fact_id, source, occurred_at, learned_at, type, data)
        SELECT id, id, 'intake', $3::timestamptz, $3, $4,
               $5::jsonb || jsonb_build_object('ticket_id', id)
        FROM generate_series(1, $2::bigint) AS n
        CROSS JOIN LATERAL (SELECT md5($1 || '/accepted/' || n)::uuid AS id) AS named
        RETURNING ticket_id
    )
    INSERT INTO clock (
        ticket_id, started_by, kind, promise_class, account_id, channel, severity, target_s,
        started_at, due_at, warnings, warned_s, state, phases, retractions, next_at,
        partition)
    SELECT ticket_id, ticket_id, 'first_response', 'guarantee', 'northwind', 'email', 'standard',
           3600, $3, $3 + interval '1 hour', '[[1800,1800000000],[2880,2880000000]]', 2880,
           'running', '[["routing",0]]', 0, $3 + interval '1 hour',
           row_number() OVER () % (SELECT count(*) FROM watermark)
    FROM accepted
"""
_UNFINISHED: Final = "SELECT EXISTS (SELECT FROM reevaluation WHERE finished_at IS NULL)"
_COVERED: Final = "SELECT count(*) FROM clock WHERE exception IS NOT NULL"
_CLEAR: Final = "TRUNCATE clock"
_SETTLE: Final = "VACUUM (ANALYZE) clock, fact"
_POLL: Final = """
    EXPLAIN (ANALYZE, FORMAT JSON)
    SELECT min((
        SELECT next_at FROM clock
        WHERE clock.partition = watermark.partition AND next_at IS NOT NULL
        ORDER BY next_at LIMIT 1))
    FROM watermark
"""
_ANY_DUE: Final = "SELECT EXISTS (SELECT FROM clock WHERE next_at <= premium_now())"
_OPEN: Final = "SELECT count(*) FROM clock WHERE next_at IS NOT NULL"
_BYTES: Final = "SELECT pg_total_relation_size('clock') / (SELECT count(*) FROM clock)::float8"


async def seed(connection: asyncpg.Connection, batch: Batch) -> None:
    """Insert clocks whose warnings count as published, so that only their breaches are left."""
    await connection.execute(_SEED, batch.run, batch.count, batch.first, batch.step, timeout=None)


async def seed_accepted(
    connection: asyncpg.Connection, run: str, count: int, accepted: TicketAccepted, at: datetime
) -> None:
    """Insert accepted tickets, each with its open guarantee and the fact that started it."""
    document = accepted.model_dump_json()
    await connection.execute(_SEED_ACCEPTED, run, count, at, accepted.type, document, timeout=None)


async def is_unfinished(connection: asyncpg.Connection) -> bool:
    """Return whether a reevaluation is unfinished."""
    found: bool = await connection.fetchval(_UNFINISHED)
    return found


async def covered(connection: asyncpg.Connection) -> int:
    """Count the clocks inside an exception."""
    count: int = await connection.fetchval(_COVERED)
    return count


async def clear(connection: asyncpg.Connection) -> None:
    """Delete all clocks."""
    await connection.execute(_CLEAR)


async def settle(connection: asyncpg.Connection) -> None:
    """Vacuum now, so that autovacuum does not disturb the measurement."""
    await connection.execute(_SETTLE, timeout=None)


async def poll_ms(connection: asyncpg.Connection) -> float:
    """Run the monitor's poll for due clocks once; return its execution time."""
    plan = json.loads(await connection.fetchval(_POLL))[0]
    return float(plan["Execution Time"])


async def is_any_due(connection: asyncpg.Connection) -> bool:
    """Return whether a clock is due that the monitor has not claimed yet."""
    found: bool = await connection.fetchval(_ANY_DUE)
    return found


async def open_count(connection: asyncpg.Connection) -> int:
    """Count the clocks that still have something to announce."""
    count: int = await connection.fetchval(_OPEN)
    return count


async def bytes_per_clock(connection: asyncpg.Connection) -> float:
    """Return the size of the table, indexes included, per clock."""
    size: float = await connection.fetchval(_BYTES)
    return size
