"""Every SQL statement of sla-monitor."""

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
    "clocks",
    "clocks_as_they_are",
    "count_open",
    "due_first",
    "due_last",
    "ensure_partitions",
    "facts",
    "firsts",
    "learned",
    "lock",
    "mark",
    "own",
    "save_clocks",
    "seconds_to_next",
    "tell",
    "watermark_age_s",
]

_COLUMNS: Final = Clock._fields
_PACKED: Final = frozenset({"warn_used_s", "warn_at", "phases"})
_PLAIN: Final = tuple(name for name in _COLUMNS if name not in _PACKED)
_VALUES: Final = attrgetter(*_PLAIN)
_STARTED_AT: Final = _PLAIN.index("started_at")
_DERIVED: Final = _PLAIN.index("recurs")
"""From there on stands what comes behind the packed columns."""
_MICROSECOND: Final = timedelta(microseconds=1)
_CLOCK: Final = ", ".join((*_PLAIN, "warnings", "phases"))

# Whoever folds a ticket also holds the declared exceptions as they are until what came of them is
# committed, so that a change of them finds every ticket it concerns.
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
# Whoever sweeps a partition holds its lock until the sweep is committed: a second instance finds
# it taken, and one that was stopped meanwhile loses it with its session, and cannot commit.
# A CASE, for of two conditions PostgreSQL tries the cheaper first, and so locks what is not asked.
OWN: Final = """
    SELECT partition, premium_now() AS now, evaluated_to,
           told_at IS NULL OR told_at <= now() - $1::interval AS owes_word
    FROM watermark
    WHERE CASE WHEN partition % $2 = $3
               THEN pg_try_advisory_xact_lock(hashtext('sweep'), partition) END
"""
# The fact that started a clock is the one nearest to its start.
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
# A row that was claimed stays in its place until it is marked: no index need find it again.
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
FIRSTS: Final = f"""
    SELECT partition, {_FIRST} AS next_at, open
    FROM watermark JOIN open_clocks USING (partition) WHERE partition = ANY($1)
"""
TO_NEXT: Final = f"""
    SELECT extract(epoch FROM min({_FIRST}) - premium_now())::float8 FROM watermark
"""
TELL: Final = """
    UPDATE watermark SET evaluated_to = new.evaluated_to, told_at = now()
    FROM unnest($1::smallint[], $2::timestamptz[]) AS new (partition, evaluated_to)
    WHERE watermark.partition = new.partition
"""
WATERMARK_AGE: Final = """
    SELECT extract(epoch FROM premium_now() - min(evaluated_to))::float8 FROM watermark
"""
LEARNED: Final = """
    SELECT learned_at, fact_id, source, occurred_at, type, data FROM fact WHERE ticket_id = $1
"""
CLOCKS_AS_THEY_ARE: Final = f"""
    SELECT {_CLOCK} FROM clock WHERE ticket_id = $1
"""


class Share(NamedTuple):
    """One of several equal shares of the partitions."""

    number: int = 0
    of: int = 1


class Partition(NamedTuple):
    """A partition this transaction sweeps: what was said of it, and whether a word is due."""

    number: int
    evaluated_to: datetime | None
    owes_word: bool


class Due(NamedTuple):
    """A clock with something to announce: where it is in Kafka and in its table, and its trace."""

    partition: int
    was_due_at: datetime
    place: str
    traceparent: str | None
    clock: Clock


async def lock(tx: Tx, ticket_ids: Sequence[UUID]) -> None:
    """Let one transaction at a time work on a ticket, by exceptions that stay as they are.

    Ids come sorted, so that none deadlock.
    """
    await tx.execute(LOCK, ticket_ids)


async def add_facts(tx: Tx, new: Sequence[Fact], *, now: datetime) -> None:
    """Add to the set of facts."""
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
    """Read all that is known about some tickets."""
    found: dict[UUID, list[Fact]] = {ticket_id: [] for ticket_id in ticket_ids}
    for row in await tx.fetch(FACTS, ticket_ids):
        found[row["ticket_id"]].append(_fact(row))
    return found


async def clocks(tx: Tx, ticket_ids: Sequence[UUID]) -> dict[Key, Clock]:
    """Read and lock the clocks of some tickets."""
    found = (_clock(row) for row in await tx.fetch(CLOCKS, ticket_ids))
    return {clock.key: clock for clock in found}


async def save_clocks(tx: Tx, changed: Iterable[tuple[Clock, int]]) -> None:
    """Save clocks, each with its partition, and the time they next want attention."""
    rows = [
        (*_VALUES(clock), _warnings(clock), _packed(clock.phases), clock.next_at(), partition)
        for clock, partition in changed
    ]
    await tx.executemany(SAVE, rows)


async def ensure_partitions(tx: Tx, count: int) -> None:
    """Make a row for each partition that lacks one."""
    await tx.execute(ENSURE, count)


async def watermark_age_s(tx: Tx) -> float:
    """Measure how far behind the oldest watermark is; not a number before there is one."""
    age: float | None = await tx.fetchval(WATERMARK_AGE)
    return nan if age is None else age


async def count_open(tx: Tx, more: Mapping[int, int]) -> None:
    """Count how many more clocks are open in each partition."""
    if more:
        await tx.execute(COUNT_OPEN, [*more], [*more.values()])


async def own(
    tx: Tx, share: Share, *, told_every: timedelta
) -> tuple[list[Partition], datetime | None]:
    """Take the partitions of a share that nobody else is sweeping, and read the time."""
    rows = await tx.fetch(OWN, told_every, share.of, share.number)
    mine = [Partition(row["partition"], row["evaluated_to"], row["owes_word"]) for row in rows]
    return mine, rows[0]["now"] if rows else None


async def due_first(tx: Tx, partitions: Sequence[int], *, limit: int) -> list[Due]:
    """Claim what has been due longest, so many a partition.

    Rows that another transaction holds are left to it.
    """
    return await _due(tx, "ASC", partitions, limit)


async def due_last(tx: Tx, partitions: Sequence[int], *, limit: int) -> list[Due]:
    """Claim what has just fallen due, so many a partition: for the sake of who is not late yet."""
    return await _due(tx, "DESC", partitions, limit)


async def mark(tx: Tx, swept: Iterable[tuple[str, Clock]]) -> None:
    """Save what has been announced of claimed clocks, and when they next want attention."""
    rows = [(place, c.warned_s, c.broken, c.broken_id, c.next_at()) for place, c in swept]
    if rows:
        await tx.execute(MARK, *zip(*rows, strict=True))


async def firsts(tx: Tx, partitions: Sequence[int]) -> dict[int, tuple[datetime | None, int]]:
    """Read for each partition when the first of its clocks is due, and how many are open."""
    rows = await tx.fetch(FIRSTS, partitions)
    return {row["partition"]: (row["next_at"], row["open"]) for row in rows}


async def seconds_to_next(tx: Tx) -> float | None:
    """Measure how long nothing will be due; negative when something already is."""
    wait_s: float | None = await tx.fetchval(TO_NEXT)
    return wait_s


async def tell(tx: Tx, evaluated_to: Mapping[int, datetime]) -> None:
    """Keep what is said of partitions."""
    await tx.execute(TELL, [*evaluated_to], [*evaluated_to.values()])


async def learned(tx: Tx, ticket_id: UUID) -> list[Learned]:
    """Read all that is known about a ticket, and since when it is known."""
    rows = await tx.fetch(LEARNED, ticket_id)
    return [Learned(_fact(row), row["learned_at"]) for row in rows]


async def clocks_as_they_are(tx: Tx, ticket_id: UUID) -> dict[Key, Clock]:
    """Read the clocks of a ticket without locking them: for who only looks."""
    found = (_clock(row) for row in await tx.fetch(CLOCKS_AS_THEY_ARE, ticket_id))
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
    """Read a clock whose columns begin there, in the order of _CLOCK: by place, for speed."""
    *plain, warnings, phases = row[begins:]
    before, after = plain[:_DERIVED], plain[_DERIVED:]
    started_at = before[_STARTED_AT]
    used_s, after_start = _read_warnings(warnings)
    warn_at = tuple([None if span is None else started_at + span for span in after_start])
    return Clock._make((*before, used_s, warn_at, tuple(map(tuple, from_json(phases))), *after))


@lru_cache(maxsize=1024)
def _read_warnings(packed: str) -> tuple[tuple[int, ...], tuple[timedelta | None, ...]]:
    """Read seconds of the target, and when they are used up: alike for promises of one kind."""
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
