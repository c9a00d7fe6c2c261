"""The SQL of facts, clocks and watermarks."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from math import nan
from operator import attrgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic_core import from_json, to_json

from shared.events import CATALOGUE, Envelope, TicketFact
from shared.platform.postgres import Tx
from sla_monitor.domain import Clock, Fact, Key
from sla_monitor.domain.replay import Learned

__all__ = [
    "Due",
    "Partition",
    "Share",
    "add_facts",
    "claim_partitions",
    "clocks",
    "clocks_unlocked",
    "count_open",
    "ensure_partitions",
    "facts",
    "first_due",
    "learned",
    "lock",
    "longest_due",
    "mark",
    "newest_due",
    "save_clocks",
    "save_watermarks",
    "seconds_to_next",
    "watermark_age_s",
]

_COLUMNS: Final = Clock._fields
_PACKED: Final = frozenset({"warn_used_s", "warn_at", "phases"})
_PLAIN: Final = tuple(name for name in _COLUMNS if name not in _PACKED)
_VALUES: Final = attrgetter(*_PLAIN)
_STARTED_AT: Final = _PLAIN.index("started_at")
_DERIVED: Final = _PLAIN.index("recurs")
"""The index of the first column after the packed columns."""
_MICROSECOND: Final = timedelta(microseconds=1)
_CLOCK: Final = ", ".join((*_PLAIN, "warnings", "phases"))

# The shared lock delays changes of declared exceptions until the updated clocks are committed.
# So the reevaluation after a change of exceptions finds every ticket that it concerns.
LOCK: Final = """
    SELECT pg_advisory_xact_lock_shared(hashtext('exception windows'))
    UNION ALL
    SELECT pg_advisory_xact_lock(hashtextextended(ticket_id::text, 0))
    FROM unnest($1::uuid[]) AS ticket_id
"""
ADD_FACTS: Final = """
    INSERT INTO fact (ticket_id, fact_id, source, occurred_at, learned_at, type, data, traceparent)
    SELECT ticket_id, fact_id, source, occurred_at, $8, type, data, traceparent
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::jsonb[],
                $7::text[])
        AS new (ticket_id, fact_id, source, occurred_at, type, data, traceparent)
    ON CONFLICT DO NOTHING
"""
FACTS: Final = """
    SELECT ticket_id, fact_id, source, occurred_at, type, data FROM fact WHERE ticket_id = ANY($1)
"""
CLOCKS: Final = f"SELECT {_CLOCK} FROM clock WHERE ticket_id = ANY($1) FOR UPDATE"
SAVE: Final = f"""
    INSERT INTO clock ({_CLOCK}, next_at, partition)
    VALUES ({", ".join(f"${number}" for number in range(1, len(_PLAIN) + 5))})
    ON CONFLICT (ticket_id, kind, started_by) DO UPDATE SET
        promise_class = excluded.promise_class, exception = excluded.exception,
        severity = excluded.severity, target_s = excluded.target_s,
        started_at = excluded.started_at, due_at = excluded.due_at,
        warnings = excluded.warnings, state = excluded.state,
        settled_at = excluded.settled_at, cancelled_for = excluded.cancelled_for,
        phases = excluded.phases, warned_s = excluded.warned_s, broken = excluded.broken,
        broken_id = excluded.broken_id, retractions = excluded.retractions,
        next_at = excluded.next_at
"""
ENSURE: Final = """
    WITH watched AS (
        INSERT INTO watermark (partition) SELECT generate_series(0, $1 - 1) ON CONFLICT DO NOTHING
    )
    INSERT INTO open_clocks (partition, open) SELECT generate_series(0, $1 - 1), 0
    ON CONFLICT DO NOTHING
"""
COUNT_OPEN: Final = """
    UPDATE open_clocks SET open = open_clocks.open + more.open
    FROM (SELECT * FROM unnest($1::smallint[], $2::bigint[])) AS more (partition, open)
    WHERE open_clocks.partition = more.partition
"""
# The locks last until the sweep commits, so that no second instance sweeps these partitions.
# A suspended instance loses its partition locks with its session, and cannot commit any more.
# CASE fixes the order: otherwise PostgreSQL may lock partitions outside the share, too.
CLAIM_PARTITIONS: Final = """
    SELECT partition, premium_now() AS now, evaluated_to,
           published_at IS NULL OR published_at <= now() - $1::interval AS watermark_due
    FROM watermark
    WHERE CASE WHEN partition % $2 = $3
               THEN pg_try_advisory_xact_lock(hashtext('sweep'), partition) END
"""
# The trace of the fact nearest in time to the clock's start, which is the one that started it.
_TRACE: Final = """
    SELECT traceparent FROM fact
    WHERE fact.ticket_id = clock.ticket_id AND traceparent IS NOT NULL
    ORDER BY greatest(occurred_at - started_at, started_at - occurred_at), fact_id LIMIT 1
"""
DUE: Final = {
    order: f"""
        SELECT due.* FROM unnest($1::smallint[]) AS mine (partition) CROSS JOIN LATERAL (
            SELECT partition, next_at, ctid::text AS place, ({_TRACE}), {_CLOCK}
            FROM clock
            WHERE partition = mine.partition AND next_at <= premium_now()
            ORDER BY next_at {order} LIMIT $2 FOR UPDATE SKIP LOCKED) AS due
    """
    for order in ("ASC", "DESC")
}
# A claimed row is locked, so its ctid stays valid until it is marked: no index lookup is needed.
MARK: Final = """
    UPDATE clock SET warned_s = new.warned_s, broken = new.broken, broken_id = new.broken_id,
                     next_at = new.next_at
    FROM unnest($1::text[], $2::int[], $3::broken[], $4::uuid[], $5::timestamptz[])
        AS new (place, warned_s, broken, broken_id, next_at)
    WHERE clock.ctid = new.place::tid
"""
_FIRST: Final = """
    (SELECT next_at FROM clock
     WHERE clock.partition = watermark.partition AND next_at IS NOT NULL
     ORDER BY next_at LIMIT 1)
"""
FIRST_DUE: Final = f"""
    SELECT partition, {_FIRST} AS next_at, open
    FROM watermark JOIN open_clocks USING (partition) WHERE partition = ANY($1)
"""
TO_NEXT: Final = f"""
    SELECT extract(epoch FROM min({_FIRST}) - premium_now())::float8 FROM watermark
"""
SAVE_WATERMARKS: Final = """
    UPDATE watermark SET evaluated_to = new.evaluated_to, published_at = now()
    FROM unnest($1::smallint[], $2::timestamptz[]) AS new (partition, evaluated_to)
    WHERE watermark.partition = new.partition
"""
WATERMARK_AGE: Final = """
    SELECT extract(epoch FROM premium_now() - min(evaluated_to))::float8 FROM watermark
"""
LEARNED: Final = """
    SELECT learned_at, fact_id, source, occurred_at, type, data FROM fact WHERE ticket_id = $1
"""
CLOCKS_UNLOCKED: Final = f"""
    SELECT {_CLOCK} FROM clock WHERE ticket_id = $1
"""


class Share(NamedTuple):
    """One of ``of`` equal shares of the partitions; ``number`` counts from 0."""

    number: int = 0
    of: int = 1


class Partition(NamedTuple):
    """A partition swept by this transaction; ``evaluated_to`` is its last watermark."""

    number: int
    evaluated_to: datetime | None
    watermark_due: bool


class Due(NamedTuple):
    """A clock with something to announce; ``place`` is its row's ctid."""

    partition: int
    was_due_at: datetime
    place: str
    traceparent: str | None
    clock: Clock


async def lock(tx: Tx, ticket_ids: Sequence[UUID]) -> None:
    """Lock tickets, and keep declared exceptions from changing, until the transaction ends.

    ``ticket_ids`` must be sorted, so that transactions do not deadlock.
    """
    await tx.execute(LOCK, ticket_ids)


async def add_facts(tx: Tx, new: Sequence[Fact], *, now: datetime) -> None:
    """Save facts."""
    await tx.execute(
        ADD_FACTS,
        [UUID(fact.event.subject) for fact in new],
        [fact.id for fact in new],
        [fact.source for fact in new],
        [fact.time for fact in new],
        [fact.event.type for fact in new],
        [fact.event.model_dump_json() for fact in new],
        [fact.traceparent if isinstance(fact.event, TicketFact) else None for fact in new],
        now,
    )


async def facts(tx: Tx, ticket_ids: Sequence[UUID]) -> dict[UUID, list[Fact]]:
    """Read all facts of some tickets."""
    found: dict[UUID, list[Fact]] = {ticket_id: [] for ticket_id in ticket_ids}
    for row in await tx.fetch(FACTS, ticket_ids):
        found[row["ticket_id"]].append(_fact(row))
    return found


async def clocks(tx: Tx, ticket_ids: Sequence[UUID]) -> dict[Key, Clock]:
    """Read and lock the clocks of some tickets."""
    found = (_clock(row) for row in await tx.fetch(CLOCKS, ticket_ids))
    return {clock.key: clock for clock in found}


async def save_clocks(tx: Tx, changed: Iterable[tuple[Clock, int]]) -> None:
    """Save clocks, each with its partition and the time of its next announcement."""
    rows = [
        (*_VALUES(clock), _warnings(clock), _packed(clock.phases), clock.next_at(), partition)
        for clock, partition in changed
    ]
    await tx.executemany(SAVE, rows)


async def ensure_partitions(tx: Tx, count: int) -> None:
    """Create the missing rows of partitions."""
    await tx.execute(ENSURE, count)


async def watermark_age_s(tx: Tx) -> float:
    """Return the age of the oldest watermark, in seconds; NaN if none was published yet."""
    age: float | None = await tx.fetchval(WATERMARK_AGE)
    return nan if age is None else age


async def count_open(tx: Tx, more: Mapping[int, int]) -> None:
    """Add ``more``, by partition, to the numbers of open clocks; it may be negative."""
    if more:
        await tx.execute(COUNT_OPEN, [*more], [*more.values()])


async def claim_partitions(
    tx: Tx, share: Share, *, watermark_every: timedelta
) -> tuple[list[Partition], datetime | None]:
    """Lock the partitions of a share that no other instance is sweeping; read the business time."""
    rows = await tx.fetch(CLAIM_PARTITIONS, watermark_every, share.of, share.number)
    mine = [Partition(row["partition"], row["evaluated_to"], row["watermark_due"]) for row in rows]
    return mine, rows[0]["now"] if rows else None


async def longest_due(tx: Tx, partitions: Sequence[int], *, limit: int) -> list[Due]:
    """Claim the clocks whose announcement is overdue longest, at most ``limit`` per partition.

    Skips rows that another transaction has locked.
    """
    return await _due(tx, "ASC", partitions, limit)


async def newest_due(tx: Tx, partitions: Sequence[int], *, limit: int) -> list[Due]:
    """Claim the clocks that became due most recently, at most ``limit`` per partition."""
    return await _due(tx, "DESC", partitions, limit)


async def mark(tx: Tx, swept: Iterable[tuple[str, Clock]]) -> None:
    """Save what was announced about claimed clocks, and the time of the next announcement."""
    rows = [(place, c.warned_s, c.broken, c.broken_id, c.next_at()) for place, c in swept]
    if rows:
        await tx.execute(MARK, *zip(*rows, strict=True))


async def first_due(tx: Tx, partitions: Sequence[int]) -> dict[int, tuple[datetime | None, int]]:
    """Read by partition when its next announcement is due, and its number of open clocks."""
    rows = await tx.fetch(FIRST_DUE, partitions)
    return {row["partition"]: (row["next_at"], row["open"]) for row in rows}


async def seconds_to_next(tx: Tx) -> float | None:
    """Return the seconds to the next announcement, negative if overdue; None if there is none."""
    wait_s: float | None = await tx.fetchval(TO_NEXT)
    return wait_s


async def save_watermarks(tx: Tx, evaluated_to: Mapping[int, datetime]) -> None:
    """Save the watermarks of partitions."""
    await tx.execute(SAVE_WATERMARKS, [*evaluated_to], [*evaluated_to.values()])


async def learned(tx: Tx, ticket_id: UUID) -> list[Learned]:
    """Read all facts of a ticket, with their time of arrival."""
    rows = await tx.fetch(LEARNED, ticket_id)
    return [Learned(_fact(row), row["learned_at"]) for row in rows]


async def clocks_unlocked(tx: Tx, ticket_id: UUID) -> dict[Key, Clock]:
    """Read the clocks of a ticket without locking them."""
    found = (_clock(row) for row in await tx.fetch(CLOCKS_UNLOCKED, ticket_id))
    return {clock.key: clock for clock in found}


async def _due(tx: Tx, order: str, partitions: Sequence[int], limit: int) -> list[Due]:
    rows = await tx.fetch(DUE[order], partitions, limit)
    return [
        Due(
            row["partition"],
            row["next_at"],
            row["place"],
            row["traceparent"],
            _clock(row, begins=4),
        )
        for row in rows
    ]


def _fact(row: Any) -> Fact:  # noqa: ANN401 - asyncpg has no types
    event = CATALOGUE[row["type"]].model_validate_json(row["data"])
    return Envelope(row["fact_id"], row["source"], row["occurred_at"], event)


def _clock(row: Any, begins: int = 0) -> Clock:  # noqa: ANN401 - asyncpg has no types
    """Build a clock from the columns from index ``begins`` on, in the order of _CLOCK."""
    *plain, warnings, phases = row[begins:]
    before, after = plain[:_DERIVED], plain[_DERIVED:]
    started_at = before[_STARTED_AT]
    used_s, after_start = _read_warnings(warnings)
    warn_at = tuple([None if span is None else started_at + span for span in after_start])
    return Clock._make((*before, used_s, warn_at, tuple(map(tuple, from_json(phases))), *after))


@lru_cache(maxsize=1024)
def _read_warnings(packed: str) -> tuple[tuple[int, ...], tuple[timedelta | None, ...]]:
    """Parse warnings: seconds of the target, offsets from the start. Cached, as many are equal."""
    pairs = from_json(packed)
    spans = (None if offset is None else offset * _MICROSECOND for _, offset in pairs)
    return tuple(used_s for used_s, _ in pairs), tuple(spans)


def _warnings(clock: Clock) -> str:
    offsets = (
        None if at is None else (at - clock.started_at) // _MICROSECOND for at in clock.warn_at
    )
    return _packed(tuple(zip(clock.warn_used_s, offsets, strict=True)))


def _packed(pairs: object) -> str:
    return to_json(pairs).decode()
