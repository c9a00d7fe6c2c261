"""SQL of tickets, decisions and loads."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter

from router.domain.assignment.state import AssignmentState
from router.domain.matching import Pool
from router.domain.matching_request import AccountAffinity
from router.domain.offers.offer import Offer
from router.domain.specialist import CHANNELS, Specialist
from router.domain.ticket import Reclassified, Request, Ticket, base_language
from router.domain.ticket_status import LifecycleStatus
from router.store import offers as offer_store
from router.store.roster import OutdatedCache, record_change
from shared.platform.postgres import Tx
from shared.tickets.due import CLOCKS_ADAPTER

__all__ = [
    "decisions_on",
    "delete_old_decisions",
    "due",
    "load_affinities",
    "load_tickets",
    "load_waiting",
    "queue",
    "roster_load",
    "save",
    "seconds_to_wake",
]

_UNTIL: Final[TypeAdapter[dict[str, datetime]]] = TypeAdapter(dict[str, datetime])

_WHO: Final = (
    *("specialist_id", "name", "languages", "presence"),
    *("skills", "team", "certified", "on_shift", "said", "away"),
)

DECISIONS_KEPT: Final = timedelta(days=14)

# Sorted, so that every router hands tickets back in the same order, whatever the query plan.
TICKETS: Final = """
    WITH wanted AS (
        SELECT unnest($1::uuid[]) AS ticket_id
        UNION SELECT ticket_id FROM ticket WHERE specialist_id = ANY($2)
        UNION SELECT ticket_id FROM offer WHERE state = 'open' AND specialist_id = ANY($2)
    )
    SELECT ticket.*, offer.offer_id, offer.specialist_id AS offered_to, offer.offered_at,
           offer.lease_ends_at, known.specialist_id AS known_by, known.at AS known_at
    FROM wanted JOIN ticket USING (ticket_id)
    LEFT JOIN offer ON offer.ticket_id = ticket.ticket_id AND offer.state = 'open'
    LEFT JOIN account_affinity AS known ON known.account_id = ticket.account_id
    ORDER BY ticket.rank_at, ticket.ticket_id
"""
# LIMIT 1 in the last join makes PostgreSQL use the index, however many rows it estimates.
WAITING: Final = """
    SELECT earliest.*, known.specialist_id AS known_by, known.at AS known_at
    FROM unnest($1::text[], $2::bigint[]) AS wanted (pool, many)
    CROSS JOIN LATERAL (
        SELECT * FROM ticket WHERE waiting AND ticket.pool = wanted.pool
        ORDER BY rank_at, ticket_id LIMIT wanted.many) AS earliest
    LEFT JOIN LATERAL (
        SELECT specialist_id, at FROM account_affinity
        WHERE account_id = earliest.account_id LIMIT 1) AS known ON true
    ORDER BY earliest.rank_at, earliest.ticket_id
"""
DUE: Final = """
    SELECT ticket_id FROM ticket WHERE wakes_at <= $1 ORDER BY wakes_at LIMIT $2
"""
AFFINITIES: Final = """
    SELECT account_id, specialist_id, at FROM account_affinity WHERE account_id = ANY($1)
"""
DECISIONS: Final = """
    SELECT record FROM decision WHERE ticket_id = $1 ORDER BY decided_at, decision_id
"""
DELETE_OLD_DECISIONS: Final = """
    DELETE FROM decision WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM decision WHERE decided_at < premium_now() - $1::interval LIMIT $2))
"""
SAVE_SPECIALISTS: Final = """
    INSERT INTO specialist (
        specialist_id, name, languages, presence, listed_at, removed, levels, skills, team,
        certified, universal, weights, shifts, on_shift, turns_at, auto_ring)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
    ON CONFLICT (specialist_id) DO UPDATE SET
        name = excluded.name, languages = excluded.languages, presence = excluded.presence,
        listed_at = excluded.listed_at, removed = excluded.removed, levels = excluded.levels,
        skills = excluded.skills, team = excluded.team, certified = excluded.certified,
        universal = excluded.universal, weights = excluded.weights, shifts = excluded.shifts,
        on_shift = excluded.on_shift, turns_at = excluded.turns_at,
        auto_ring = excluded.auto_ring
"""
SAVE_SHIFTS: Final = """
    UPDATE specialist AS s SET on_shift = new.on_shift, turns_at = new.turns_at
    FROM unnest($1::text[], $2::bool[], $3::timestamptz[])
        AS new (specialist_id, on_shift, turns_at)
    WHERE s.specialist_id = new.specialist_id
"""
TO_WAKE: Final = """
    SELECT extract(epoch FROM least(
        (SELECT min(turns_at) FROM specialist),
        (SELECT min(presence_until) FROM presence),
        (SELECT min(wakes_at) FROM ticket),
        (SELECT min(remind_at) FROM callback_request),
        (SELECT premium_now() FROM coverage WHERE published_until <> opens_at LIMIT 1)
    ) - premium_now())::float8
"""
ADD_CAPACITIES: Final = """
    INSERT INTO capacity (specialist_id, channel, capacity)
    SELECT specialist_id, channel, 0
    FROM unnest($1::text[]) AS specialist_id CROSS JOIN unnest($2::text[]) AS channel
    ON CONFLICT DO NOTHING
"""
# One query saves all that a decision changes, except its tickets.
# A load is saved only if unchanged since it was read, so that capacities hold even without lock.
SAVE_DECIDED: Final = """
    WITH loads AS (
        UPDATE capacity AS c
        SET capacity = new.capacity, load = new.load, last_at = new.last_at
        FROM unnest(
            $1::text[], $2::text[], $3::int[], $4::int[], $5::int[], $6::int[], $7::timestamptz[])
            AS new (specialist_id, channel, capacity_before, load_before, capacity, load, last_at)
        WHERE (c.specialist_id, c.channel) = (new.specialist_id, new.channel)
          AND (c.capacity, c.load) = (new.capacity_before, new.load_before)
        RETURNING 1
    ), met AS (
        INSERT INTO account_affinity (account_id, specialist_id, at)
        SELECT * FROM unnest($8::text[], $9::text[], $10::timestamptz[])
        ON CONFLICT (account_id) DO UPDATE
        SET specialist_id = excluded.specialist_id, at = excluded.at
    ), decided AS (
        INSERT INTO decision (ticket_id, decision_id, decided_at, record)
        SELECT * FROM unnest($11::uuid[], $12::uuid[], $13::timestamptz[], $14::text[])
    )
    SELECT count(*) FROM loads
"""
_TICKET_COLUMNS: Final = """
    ticket_id uuid, account_id text, role text, channel text, severity text, language text,
    time_zone text, create_date timestamptz, due_at timestamptz, clocks jsonb, facts jsonb,
    released bool, state text, answered_at timestamptz, asked_at timestamptz, answered_by text,
    held_until timestamptz, reclassified_at timestamptz, reclassified_by uuid, reclassified_to text,
    specialist_id text, assigned_count int, declined_by jsonb, waiting_since timestamptz,
    waiting bool, base_language text, pool text, rank_at timestamptz, again_at timestamptz,
    excluded_until jsonb, offered_count int, hand_back_at timestamptz, pinned_to text,
    confirmed text, wakes_at timestamptz, rounds int, rings_at timestamptz, traceparent text
"""
_TICKET: Final = dict(column.split() for column in _TICKET_COLUMNS.split(","))
"""The columns of a ticket, in the order in which `_row` fills them."""
SAVE_TICKETS: Final = f"""
    INSERT INTO ticket ({", ".join(_TICKET)})
    SELECT * FROM unnest({", ".join(f"${n}::{of}[]" for n, of in enumerate(_TICKET.values(), 1))})
    ON CONFLICT (ticket_id) DO UPDATE SET {", ".join(f"{c} = excluded.{c}" for c in [*_TICKET][1:])}
"""
QUEUE: Final = """
    SELECT channel, base_language AS language, count(*) AS waiting,
           extract(epoch FROM $1 - min(create_date))::float8 AS oldest_s,
           min(due_at) AS earliest_due_at
    FROM ticket WHERE waiting GROUP BY channel, base_language ORDER BY channel, base_language
"""
ROSTER_LOAD: Final = """
    SELECT specialist_id, name, languages, presence, levels, skills, team, certified, on_shift,
           said, away, channel, capacity, load
    FROM specialist JOIN capacity USING (specialist_id)
    LEFT JOIN presence USING (specialist_id)
    WHERE NOT removed ORDER BY specialist_id, channel
"""


class Loaded(NamedTuple):
    """Some tickets, and the affinities of their accounts."""

    tickets: list[Ticket]
    affinities: dict[str, AccountAffinity]


async def load_tickets(tx: Tx, ticket_ids: Collection[UUID], held_by: Collection[str]) -> Loaded:
    """Load tickets by id, and all that some specialists have or are offered; in order of work."""
    return _loaded(await tx.fetch(TICKETS, ticket_ids, held_by))


async def load_waiting(tx: Tx, limits: Mapping[Pool, int]) -> Loaded:
    """Load the earliest waiting tickets of each pool, at most as many as its limit."""
    names = [pool.name for pool in limits]
    return _loaded(await tx.fetch(WAITING, names, [*limits.values()]) if limits else ())


async def due(tx: Tx, now: datetime, *, limit: int) -> list[UUID]:
    """Return the tickets whose timer is due."""
    return [row["ticket_id"] for row in await tx.fetch(DUE, now, limit)]


async def load_affinities(tx: Tx, account_ids: Collection[str]) -> dict[str, AccountAffinity]:
    """Load the affinities of some accounts."""
    rows = await tx.fetch(AFFINITIES, account_ids) if account_ids else ()
    return {row["account_id"]: AccountAffinity(row["specialist_id"], row["at"]) for row in rows}


async def decisions_on(tx: Tx, ticket_id: UUID) -> list[str]:
    """Return the decision records of a ticket as JSON, the oldest first."""
    return [row["record"] for row in await tx.fetch(DECISIONS, ticket_id)]


async def delete_old_decisions(tx: Tx, *, limit: int) -> int:
    """Delete decision records older than DECISIONS_KEPT; return how many were deleted."""
    status = await tx.execute(DELETE_OLD_DECISIONS, DECISIONS_KEPT, limit)
    return int(status.removeprefix("DELETE "))


async def save(tx: Tx, state: AssignmentState) -> int | None:
    """Save all changes; return the version of the roster's change, None if it has not changed.

    Raises:
        OutdatedCache: another transaction has changed a load without recording the change.
    """
    if state.shift_changed:
        shifted = state.shift_changed.values()
        columns = zip(*((p.specialist_id, p.on_shift, p.turns_at) for p in shifted), strict=True)
        await tx.execute(SAVE_SHIFTS, *columns)
    if state.listed:
        await _save_specialists(tx, state.listed.values())
    await offer_store.save_presence(tx, state)
    if state.touched:
        columns = zip(*(_row(state.tickets[ticket_id]) for ticket_id in state.touched), strict=True)
        await tx.execute(SAVE_TICKETS, *columns)
    if state.offers:
        await offer_store.save_offers(tx, state.offers.values())
    if state.loads_before or state.affinity_changed or state.decisions:
        await _save_decided(tx, state)
    changed = state.changed_specialists
    pools = state.roster.new_pools
    return await record_change(tx, changed, pools) if changed or pools else None


async def seconds_to_wake(tx: Tx) -> float | None:
    """Return the seconds until the next timer of router is due; negative if one is overdue."""
    wait_s: float | None = await tx.fetchval(TO_WAKE)
    return wait_s


async def queue(tx: Tx, *, now: datetime) -> list[dict[str, Any]]:
    """Count the waiting tickets by channel and language, with their greatest age."""
    return [dict(row) for row in await tx.fetch(QUEUE, now)]


async def roster_load(tx: Tx) -> list[dict[str, Any]]:
    """Return all specialists with their load and capacity, one dictionary for each."""
    specialists: dict[str, dict[str, Any]] = {}
    for row in await tx.fetch(ROSTER_LOAD):
        who = {name: row[name] for name in _WHO}
        levels = json.loads(row["levels"])
        specialist = specialists.setdefault(
            row["specialist_id"], {**who, "levels": levels, "channels": {}}
        )
        specialist["channels"][row["channel"]] = {"capacity": row["capacity"], "load": row["load"]}
    return [*specialists.values()]


async def _save_specialists(tx: Tx, specialists: Collection[Specialist]) -> None:
    await tx.executemany(
        SAVE_SPECIALISTS,
        [
            (
                *(p.specialist_id, p.name, p.languages, p.presence, p.listed_at, p.removed),
                *(json.dumps(p.levels), p.skills, p.team, p.certified),
                *(p.universal, json.dumps(p.weights)),
                None if p.shifts is None else p.shifts.model_dump_json(),
                *(p.on_shift, p.turns_at, p.auto_ring),
            )
            for p in specialists
        ],
    )
    await tx.execute(ADD_CAPACITIES, [p.specialist_id for p in specialists], CHANNELS)


async def _save_decided(tx: Tx, state: AssignmentState) -> None:
    loads = []
    for (specialist_id, channel), before in state.loads_before.items():
        specialist = state.specialist(specialist_id)
        after = (specialist.capacity.get(channel, 0), specialist.load.get(channel, 0))
        loads.append((specialist_id, channel, *before, *after, specialist.last_at.get(channel)))
    affinities = [(one, *state.affinities[one]) for one in state.affinity_changed]
    decisions = [
        (one.event.ticket_id, one.id, one.event.decided_at, one.event.model_dump_json())
        for one in state.decisions
    ]
    columns = (*_columns(loads, 7), *_columns(affinities, 3), *_columns(decisions, 4))
    if await tx.fetchval(SAVE_DECIDED, *columns) != len(loads):
        raise OutdatedCache("another transaction changed the loads; decide again")


def _columns(rows: Collection[Sequence[object]], count: int) -> list[Sequence[object]]:
    """Turn rows into ``count`` columns, which are empty if there are no rows."""
    return [*zip(*rows, strict=True)] if rows else [()] * count


def _loaded(rows: Iterable[Any]) -> Loaded:
    known = {
        row["account_id"]: AccountAffinity(row["known_by"], row["known_at"])
        for row in rows
        if row["known_by"] is not None
    }
    return Loaded([_ticket(row) for row in rows], known)


def _ticket(row: Any) -> Ticket:  # noqa: ANN401 - a record is any
    request = None
    if row["account_id"] is not None:
        request = Request(
            account_id=row["account_id"],
            role=row["role"],
            channel=row["channel"],
            severity=row["severity"],
            language=row["language"],
            time_zone=row["time_zone"],
            create_date=row["create_date"],
        )
    reclassified = None
    if row["reclassified_at"] is not None:
        reclassified = Reclassified(
            row["reclassified_at"], row["reclassified_by"], row["reclassified_to"]
        )
    return Ticket(
        ticket_id=row["ticket_id"],
        request=request,
        due_at=row["due_at"],
        clocks=CLOCKS_ADAPTER.validate_json(row["clocks"]),
        status=LifecycleStatus(*(row[name] for name in LifecycleStatus._fields)),
        reclassified=reclassified,
        specialist_id=row["specialist_id"],
        assigned_count=row["assigned_count"],
        declined_by=frozenset(json.loads(row["declined_by"])),
        waiting_since=row["waiting_since"],
        pool=row["pool"] and Pool.named(row["pool"]),
        rank_at=row["rank_at"],
        again_at=row["again_at"],
        joined_to=row["joined_to"],
        offer=_open_offer(row),
        offered_count=row["offered_count"],
        excluded_until=_UNTIL.validate_json(row["excluded_until"]),
        hand_back_at=row["hand_back_at"],
        pinned_to=row["pinned_to"],
        confirmed=row["confirmed"],
        answered_by=row["answered_by"],
        held_until=row["held_until"],
        rounds=row["rounds"],
        rings_at=row["rings_at"],
        traceparent=row["traceparent"],
    )


def _open_offer(row: Any) -> Offer | None:  # noqa: ANN401 - as above
    if row.get("offer_id") is None:
        return None
    return Offer(
        offer_id=row["offer_id"],
        ticket_id=row["ticket_id"],
        specialist_id=row["offered_to"],
        offered_at=row["offered_at"],
        lease_ends_at=row["lease_ends_at"],
    )


def _row(ticket: Ticket) -> Iterable[object]:
    return (
        ticket.ticket_id,
        *(ticket.request or (None,) * len(Request._fields)),
        ticket.due_at,
        CLOCKS_ADAPTER.dump_json(ticket.clocks).decode(),
        *ticket.status,
        ticket.answered_by,
        ticket.held_until,
        *(ticket.reclassified or (None,) * len(Reclassified._fields)),
        ticket.specialist_id,
        ticket.assigned_count,
        json.dumps(sorted(ticket.declined_by)),
        ticket.waiting_since,
        ticket.waits,
        None if ticket.request is None else base_language(ticket.request.language),
        ticket.pool and ticket.pool.name,
        ticket.rank_at,
        ticket.again_at,
        _UNTIL.dump_json(ticket.excluded_until).decode(),
        ticket.offered_count,
        ticket.hand_back_at,
        ticket.pinned_to,
        ticket.confirmed,
        ticket.wakes_at,
        ticket.rounds,
        ticket.rings_at,
        ticket.traceparent,
    )
