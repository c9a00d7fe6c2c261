"""The SQL of declared exceptions, and of the reevaluation after they change."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from shared.platform.postgres import Tx
from shared.sla.policies import ExceptionWindow, Policy
from sla_monitor.domain import Cause

__all__ = [
    "Change",
    "Chunk",
    "Pending",
    "Span",
    "Work",
    "add",
    "advance",
    "chunk",
    "claim",
    "pending",
    "put_in_force",
    "replace_windows",
    "windows",
]

type Span = tuple[datetime, datetime]
"""The create dates that an exception covers: from, until (excluded)."""

_BEFORE_ALL: Final = UUID(int=0)

PUT_IN_FORCE: Final = """
    INSERT INTO policy_in_force (policy_id, published_at) VALUES ($1, $2)
    ON CONFLICT (policy_id) DO UPDATE SET published_at = excluded.published_at
        WHERE policy_in_force.published_at <= excluded.published_at
    RETURNING true
"""
CHANGE_WINDOWS: Final = "SELECT pg_advisory_xact_lock(hashtext('exception windows'))"
WINDOWS: Final = "SELECT content FROM exception_window ORDER BY policy_id, name"
# Returns the spans of removed and of new exceptions: the tickets of both must be evaluated again.
REPLACE_WINDOWS: Final = """
    WITH new AS (
        SELECT * FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[])
            AS new (name, starts_at, ends_at, content)
    ), gone AS (
        DELETE FROM exception_window AS old WHERE policy_id = $1
            AND NOT EXISTS (SELECT FROM new WHERE (new.name, new.content) = (old.name, old.content))
        RETURNING starts_at, ends_at
    ), come AS (
        INSERT INTO exception_window (policy_id, name, starts_at, ends_at, content)
        SELECT $1, * FROM new
        ON CONFLICT (policy_id, name) DO UPDATE SET
            starts_at = excluded.starts_at, ends_at = excluded.ends_at, content = excluded.content
            WHERE exception_window.content <> excluded.content
        RETURNING starts_at, ends_at
    )
    SELECT * FROM gone UNION SELECT * FROM come
"""
ADD: Final = """
    INSERT INTO reevaluation
        (policy_id, cause_id, caused_at, traceparent, starts_at, ends_at, done_to_at, done_to_id)
    SELECT $1, $2, $3, $4, starts_at, ends_at, starts_at, $7
    FROM unnest($5::timestamptz[], $6::timestamptz[]) AS span (starts_at, ends_at)
    ORDER BY starts_at, ends_at
"""
CLAIM: Final = """
    SELECT reevaluation_id, policy_id, cause_id, caused_at, traceparent, ends_at, done_to_at,
           done_to_id, done
    FROM reevaluation WHERE finished_at IS NULL
    ORDER BY reevaluation_id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
# LIMIT applies before the test for a guarantee, so that a chunk without any costs no more.
CHUNK: Final = """
    SELECT occurred_at, ticket_id, EXISTS (
        SELECT FROM clock WHERE clock.ticket_id = created.ticket_id
            AND (promise_class = 'guarantee' OR exception IS NOT NULL)) AS concerned
    FROM (
        SELECT occurred_at, ticket_id FROM fact
        WHERE type = 'premium.ticket.accepted.v1' AND occurred_at < $3
            AND (occurred_at, ticket_id) > ($1, $2)
        ORDER BY occurred_at, ticket_id LIMIT $4
    ) AS created
"""
ADVANCE: Final = """
    UPDATE reevaluation
    SET done_to_at = $2, done_to_id = $3, done = done + $4,
        finished_at = CASE WHEN $5 THEN now() END
    WHERE reevaluation_id = $1
"""
PENDING: Final = """
    SELECT policy_id, starts_at, ends_at, done_to_at, done, started_at
    FROM reevaluation WHERE finished_at IS NULL ORDER BY reevaluation_id
"""
IS_PENDING: Final = "SELECT EXISTS (SELECT FROM reevaluation WHERE finished_at IS NULL)"


class Change(NamedTuple):
    """The policy event that changed declared exceptions, as the cause of announcements."""

    id: UUID
    time: datetime
    traceparent: str | None


class Work(NamedTuple):
    """The tickets left to evaluate: those created after ``done_to_at`` and before ``ends_at``."""

    number: int
    policy_id: str
    change: Change
    ends_at: datetime
    done_to_at: datetime
    done_to_id: UUID
    done: int


class Chunk(NamedTuple):
    """The tickets to evaluate next; ``last`` is the last one read, None if none was left."""

    ticket_ids: list[UUID]
    last: tuple[datetime, UUID] | None


class Pending(NamedTuple):
    """The progress of an unfinished reevaluation."""

    policy_id: str
    starts_at: datetime
    ends_at: datetime
    done_to_at: datetime
    done: int
    started_at: datetime


async def windows(tx: Tx) -> list[ExceptionWindow]:
    """Read the declared exceptions."""
    return [_window(row["content"]) for row in await tx.fetch(WINDOWS)]


async def put_in_force(tx: Tx, policy_id: str, published_at: datetime) -> bool:
    """Save when a policy was published; return False if a newer version is in force."""
    return await tx.fetchval(PUT_IN_FORCE, policy_id, published_at) is not None


async def replace_windows(tx: Tx, policy: Policy) -> list[Span]:
    """Save the exceptions that a policy declares now; return the spans of all that changed."""
    await tx.execute(CHANGE_WINDOWS)
    rows = [(x.name, x.starts_at, x.ends_at, x.model_dump_json()) for x in policy.exceptions]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
    spans = await tx.fetch(REPLACE_WINDOWS, policy.policy_id, *columns)
    return [(row["starts_at"], row["ends_at"]) for row in spans]


async def add(tx: Tx, cause: Cause, policy_id: str, spans: Iterable[Span]) -> None:
    """Queue the tickets of some spans for reevaluation."""
    starts, ends = zip(*spans, strict=True)
    await tx.execute(
        ADD,
        policy_id,
        cause.id,
        cause.time,
        cause.traceparent,
        starts,
        ends,
        _BEFORE_ALL,
    )


async def claim(tx: Tx) -> Work | None:
    """Lock the oldest unfinished change on which no other instance works; None if there is none."""
    row = await tx.fetchrow(CLAIM)
    if row is None:
        return None
    change = Change(row["cause_id"], row["caused_at"], row["traceparent"])
    return Work(
        number=row["reevaluation_id"],
        policy_id=row["policy_id"],
        change=change,
        ends_at=row["ends_at"],
        done_to_at=row["done_to_at"],
        done_to_id=row["done_to_id"],
        done=row["done"],
    )


async def chunk(tx: Tx, work: Work, *, limit: int) -> Chunk:
    """Read a change's next ``limit`` tickets by create date; keep those with a guarantee."""
    rows = await tx.fetch(CHUNK, work.done_to_at, work.done_to_id, work.ends_at, limit)
    concerned = [row["ticket_id"] for row in rows if row["concerned"]]
    return Chunk(concerned, (rows[-1]["occurred_at"], rows[-1]["ticket_id"]) if rows else None)


async def advance(tx: Tx, work: Work, done: Chunk, *, finished: bool) -> None:
    """Save the progress of a change."""
    at, ticket_id = done.last or (work.done_to_at, work.done_to_id)
    await tx.execute(ADVANCE, work.number, at, ticket_id, len(done.ticket_ids), finished)


async def pending(tx: Tx) -> list[Pending]:
    """Read the progress of unfinished changes, the oldest first."""
    return [Pending(*row) for row in await tx.fetch(PENDING)]


async def is_pending(tx: Tx) -> bool:
    """Return whether a change is unfinished."""
    found: bool = await tx.fetchval(IS_PENDING)
    return found


@lru_cache(maxsize=256)
def _window(content: str) -> ExceptionWindow:
    return ExceptionWindow.model_validate_json(content)
