"""Every SQL statement of router."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter

from router.domain import Desk
from router.offers import store as kept
from router.offers.offer import Offer
from router.roster import CHANNELS, Roster, Specialist
from router.ticket import Fact, Reclassified, Request, Ticket, base
from shared.errors import Transient
from shared.postgres import Tx
from shared.promises import Channel, Severity
from shared.rosters import Shifts

__all__ = [
    "load_roster",
    "load_tickets",
    "load_waiting",
    "lock",
    "queue",
    "roster_load",
    "save",
    "seconds_to_wake",
]

_LATEST: Final[TypeAdapter[dict[Fact, datetime]]] = TypeAdapter(dict[Fact, datetime])
_DUE: Final[TypeAdapter[dict[Severity, datetime]]] = TypeAdapter(dict[Severity, datetime])

_UNTIL: Final[TypeAdapter[dict[str, datetime]]] = TypeAdapter(dict[str, datetime])
_DUE_MAX: Final = 500
"""Tickets whose time has come, in one transaction; the sweep asks again at once."""

_WHO: Final = (
    *("specialist_id", "name", "languages", "presence"),
    *("skills", "team", "certified", "on_shift", "said"),
)

LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('router matching'))"
# Shifts are read of those only whose shift turns: of the others it is known whether they work.
ROSTER: Final = """
    SELECT specialist_id, name, languages, presence, listed_at, removed, channel, capacity, load,
           levels, skills, team, certified, universal, weights, on_shift, turns_at,
           CASE WHEN turns_at <= $1 THEN shifts END AS shifts, said, said_until
    FROM specialist JOIN capacity USING (specialist_id)
    LEFT JOIN presence USING (specialist_id)
"""
# Those asked for, those whom somebody has or is offered, and those whose time has come.
TICKETS: Final = """
    WITH wanted AS (
        SELECT unnest($1::uuid[]) AS ticket_id
        UNION SELECT ticket_id FROM ticket WHERE specialist_id = ANY($2)
        UNION SELECT ticket_id FROM offer WHERE state = 'open' AND specialist_id = ANY($2)
        UNION (SELECT ticket_id FROM ticket WHERE wakes_at <= $3 ORDER BY wakes_at LIMIT $4)
    )
    SELECT ticket.*, offer.offer_id, offer.specialist_id AS offered_to, offer.offered_at,
           offer.lease_ends_at
    FROM wanted JOIN ticket USING (ticket_id)
    LEFT JOIN offer ON offer.ticket_id = ticket.ticket_id AND offer.state = 'open'
"""
# The pools are found by leaping along the index, the earliest of each by reading its beginning:
# the cost is that of the rows asked for, however many wait.
WAITING: Final = """
    WITH RECURSIVE pool AS (
        (SELECT channel, base_language FROM ticket WHERE waiting
         ORDER BY channel, base_language LIMIT 1)
        UNION ALL
        SELECT further.channel, further.base_language FROM pool CROSS JOIN LATERAL (
            SELECT channel, base_language FROM ticket
            WHERE waiting AND (channel, base_language) > (pool.channel, pool.base_language)
            ORDER BY channel, base_language LIMIT 1) AS further
    )
    SELECT earliest.*
    FROM pool
    JOIN unnest($1::text[], $2::bigint[]) AS wanted (channel, many) USING (channel)
    CROSS JOIN LATERAL (
        SELECT * FROM ticket
        WHERE waiting AND (channel, base_language) = (pool.channel, pool.base_language)
        ORDER BY due_at, ticket_id LIMIT wanted.many) AS earliest
"""
SAVE_SPECIALISTS: Final = """
    INSERT INTO specialist (
        specialist_id, name, languages, presence, listed_at, removed, levels, skills, team,
        certified, universal, weights, shifts, on_shift, turns_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
    ON CONFLICT (specialist_id) DO UPDATE SET
        name = excluded.name, languages = excluded.languages, presence = excluded.presence,
        listed_at = excluded.listed_at, removed = excluded.removed, levels = excluded.levels,
        skills = excluded.skills, team = excluded.team, certified = excluded.certified,
        universal = excluded.universal, weights = excluded.weights, shifts = excluded.shifts,
        on_shift = excluded.on_shift, turns_at = excluded.turns_at
"""
SAVE_TURNS: Final = """
    UPDATE specialist AS s SET on_shift = new.on_shift, turns_at = new.turns_at
    FROM unnest($1::text[], $2::bool[], $3::timestamptz[])
        AS new (specialist_id, on_shift, turns_at)
    WHERE s.specialist_id = new.specialist_id
"""
TO_WAKE: Final = """
    SELECT extract(epoch FROM least(
        (SELECT min(turns_at) FROM specialist),
        (SELECT min(said_until) FROM presence),
        (SELECT min(wakes_at) FROM ticket),
        (SELECT min(remind_at) FROM callback_wish),
        (SELECT premium_now() FROM outlook WHERE told_until <> opens_at LIMIT 1)
    ) - premium_now())::float8
"""
ADD_CAPACITIES: Final = """
    INSERT INTO capacity (specialist_id, channel, capacity)
    SELECT specialist_id, channel, 0
    FROM unnest($1::text[]) AS specialist_id CROSS JOIN unnest($2::text[]) AS channel
    ON CONFLICT DO NOTHING
"""
# Only on top of what was loaded: nobody exceeds a capacity, whatever went wrong with the lock.
SAVE_LOADS: Final = """
    UPDATE capacity AS c SET capacity = new.capacity, load = new.load
    FROM unnest($1::text[], $2::text[], $3::int[], $4::int[], $5::int[], $6::int[])
        AS new (specialist_id, channel, capacity_before, load_before, capacity, load)
    WHERE (c.specialist_id, c.channel) = (new.specialist_id, new.channel)
      AND (c.capacity, c.load) = (new.capacity_before, new.load_before)
"""
LOWER: Final = """
    UPDATE capacity AS c SET capacity = new.capacity
    FROM unnest($1::text[], $2::text[], $3::int[]) AS new (specialist_id, channel, capacity)
    WHERE (c.specialist_id, c.channel) = (new.specialist_id, new.channel)
"""
SAVE_TICKETS: Final = """
    INSERT INTO ticket (
        ticket_id, account_id, role, channel, severity, language, time_zone, create_date, due_at,
        latest, reclassified_at, reclassified_by, reclassified_to, specialist_id, assigned_count,
        set_aside, declined_by, waiting_since, waiting, base_language, due_by_severity,
        offered_count, hand_back_at, pinned_to, confirmed, wakes_at)
    SELECT * FROM unnest(
        $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::timestamptz[], $9::timestamptz[], $10::jsonb[], $11::timestamptz[], $12::uuid[],
        $13::text[], $14::text[], $15::int[], $16::jsonb[], $17::jsonb[], $18::timestamptz[],
        $19::bool[], $20::text[], $21::jsonb[], $22::int[], $23::timestamptz[], $24::text[],
        $25::text[], $26::timestamptz[])
    ON CONFLICT (ticket_id) DO UPDATE SET
        account_id = excluded.account_id, role = excluded.role, channel = excluded.channel,
        severity = excluded.severity, language = excluded.language,
        time_zone = excluded.time_zone, create_date = excluded.create_date,
        due_at = excluded.due_at, latest = excluded.latest,
        reclassified_at = excluded.reclassified_at, reclassified_by = excluded.reclassified_by,
        reclassified_to = excluded.reclassified_to, specialist_id = excluded.specialist_id,
        assigned_count = excluded.assigned_count, set_aside = excluded.set_aside,
        declined_by = excluded.declined_by,
        waiting_since = excluded.waiting_since, waiting = excluded.waiting,
        base_language = excluded.base_language, due_by_severity = excluded.due_by_severity,
        offered_count = excluded.offered_count, hand_back_at = excluded.hand_back_at,
        pinned_to = excluded.pinned_to, confirmed = excluded.confirmed,
        wakes_at = excluded.wakes_at
"""
QUEUE: Final = """
    SELECT channel, base_language AS language, count(*) AS waiting,
           extract(epoch FROM $1 - min(create_date))::float8 AS oldest_s,
           min(due_at) AS earliest_due_at
    FROM ticket WHERE waiting GROUP BY channel, base_language ORDER BY channel, base_language
"""
ROSTER_LOAD: Final = """
    SELECT specialist_id, name, languages, presence, levels, skills, team, certified, on_shift,
           said, channel, capacity, load
    FROM specialist JOIN capacity USING (specialist_id)
    LEFT JOIN presence USING (specialist_id)
    WHERE NOT removed ORDER BY specialist_id, channel
"""


async def lock(tx: Tx) -> None:
    """Become the only one who matches, until the transaction ends.

    A lock of its own, and taken first: rows can be locked only once they are seen, and a
    specialist whom another router is just adding is not seen.
    """
    await tx.execute(LOCK)


async def load_roster(tx: Tx, now: datetime) -> Roster:
    """Read everybody with what they hold."""
    people: dict[str, Specialist] = {}
    for row in await tx.fetch(ROSTER, now):
        person = people.get(row["specialist_id"])
        if person is None:
            person = people[row["specialist_id"]] = _specialist(row)
        person.capacity[row["channel"]] = row["capacity"]
        person.load[row["channel"]] = row["load"]
    return Roster(people.values())


async def load_tickets(
    tx: Tx, ticket_ids: Collection[UUID], held_by: Collection[str], *, now: datetime
) -> list[Ticket]:
    """Read tickets by id, all that some specialists have or are offered, and some that are due."""
    rows = await tx.fetch(TICKETS, ticket_ids, held_by, now, _DUE_MAX)
    return [_ticket(row) for row in rows]


async def load_waiting(tx: Tx, limits: dict[Channel, int]) -> list[Ticket]:
    """Read those who wait: of each pool the earliest due, at most so many as its channel's."""
    rows = await tx.fetch(WAITING, [*limits], [*limits.values()])
    return [_ticket(row) for row in rows]


async def save(tx: Tx, desk: Desk) -> None:
    """Write what changed. Raises Transient when somebody else changed a load meanwhile."""
    if desk.turned:
        turned = desk.turned.values()
        columns = zip(*((p.specialist_id, p.on_shift, p.turns_at) for p in turned), strict=True)
        await tx.execute(SAVE_TURNS, *columns)
    if desk.listed:
        await _save_specialists(tx, desk.listed.values())
    if desk.said_before:
        await kept.save_said(tx, desk)
    if desk.before:
        await _save_loads(tx, desk)
    if desk.touched:
        columns = zip(*(_row(desk.tickets[ticket_id]) for ticket_id in desk.touched), strict=True)
        await tx.execute(SAVE_TICKETS, *columns)
    if desk.offers:
        await kept.save_offers(tx, desk.offers.values())


async def seconds_to_wake(tx: Tx) -> float | None:
    """Measure how long nothing changes by itself; negative when something already has to."""
    wait_s: float | None = await tx.fetchval(TO_WAKE)
    return wait_s


async def queue(tx: Tx, *, now: datetime) -> list[dict[str, Any]]:
    """Read how many wait in each pool, and since when the oldest does."""
    return [dict(row) for row in await tx.fetch(QUEUE, now)]


async def roster_load(tx: Tx) -> list[dict[str, Any]]:
    """Read who holds how much of what they can, a line for each person."""
    people: dict[str, dict[str, Any]] = {}
    for row in await tx.fetch(ROSTER_LOAD):
        who = {name: row[name] for name in _WHO}
        levels = json.loads(row["levels"])
        person = people.setdefault(row["specialist_id"], {**who, "levels": levels, "channels": {}})
        person["channels"][row["channel"]] = {"capacity": row["capacity"], "load": row["load"]}
    return [*people.values()]


async def _save_specialists(tx: Tx, people: Collection[Specialist]) -> None:
    await tx.executemany(
        SAVE_SPECIALISTS,
        [
            (
                *(p.specialist_id, p.name, p.languages, p.presence, p.listed_at, p.removed),
                *(json.dumps(p.levels), p.skills, p.team, p.certified),
                *(p.universal, json.dumps(p.weights)),
                None if p.shifts is None else p.shifts.model_dump_json(),
                *(p.on_shift, p.turns_at),
            )
            for p in people
        ],
    )
    await tx.execute(ADD_CAPACITIES, [p.specialist_id for p in people], CHANNELS)


async def _save_loads(tx: Tx, desk: Desk) -> None:
    """Write loads; a capacity that one batch raised and lowered is lowered when they stand."""
    rows, lowered = [], []
    for (specialist_id, channel), before in desk.before.items():
        person = desk.roster.get(specialist_id)
        assert person is not None  # noqa: S101 - nobody leaves the roster's memory
        capacity, load = person.capacity.get(channel, 0), person.load.get(channel, 0)
        most = desk.most.get((specialist_id, channel), capacity)
        rows.append((specialist_id, channel, *before, most, load))
        if most > capacity:
            lowered.append((specialist_id, channel, capacity))
    done = await tx.execute(SAVE_LOADS, *zip(*rows, strict=True))
    if done != f"UPDATE {len(rows)}":
        raise Transient("somebody else changed what specialists hold; decide again")
    if lowered:
        await tx.execute(LOWER, *zip(*lowered, strict=True))


def _specialist(row: Any) -> Specialist:  # noqa: ANN401 - a record is any
    return Specialist(
        specialist_id=row["specialist_id"],
        name=row["name"],
        languages=tuple(row["languages"]),
        presence=row["presence"],
        listed_at=row["listed_at"],
        removed=row["removed"],
        levels=json.loads(row["levels"]),
        skills=tuple(row["skills"]),
        team=row["team"],
        certified=row["certified"],
        universal=row["universal"],
        weights=json.loads(row["weights"]),
        shifts=row["shifts"] and Shifts.model_validate_json(row["shifts"]),
        on_shift=row["on_shift"],
        turns_at=row["turns_at"],
        said=row["said"],
        said_until=row["said_until"],
    )


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
        due_by_severity=_DUE.validate_json(row["due_by_severity"]),
        latest=_LATEST.validate_json(row["latest"]),
        reclassified=reclassified,
        specialist_id=row["specialist_id"],
        assigned_count=row["assigned_count"],
        waiting_since=row["waiting_since"],
        offer=_open_offer(row),
        offered_count=row["offered_count"],
        set_aside=_UNTIL.validate_json(row["set_aside"]),
        declined_by=frozenset(json.loads(row["declined_by"])),
        hand_back_at=row["hand_back_at"],
        pinned_to=row["pinned_to"],
        confirmed=row["confirmed"],
        rides_with=row["rides_with"],
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
        _LATEST.dump_json(ticket.latest).decode(),
        *(ticket.reclassified or (None,) * len(Reclassified._fields)),
        ticket.specialist_id,
        ticket.assigned_count,
        _UNTIL.dump_json(ticket.set_aside).decode(),
        json.dumps(sorted(ticket.declined_by)),
        ticket.waiting_since,
        ticket.waits,
        None if ticket.request is None else base(ticket.request.language),
        _DUE.dump_json(ticket.due_by_severity).decode(),
        ticket.offered_count,
        ticket.hand_back_at,
        ticket.pinned_to,
        ticket.confirmed,
        ticket.wakes_at,
    )
