"""SQL of the roster, and of the changes by which routers update their caches."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

from router.domain.matching import Pool
from router.domain.offers.rules import OfferRules, rules_of
from router.domain.specialist import Specialist
from shared.basics.errors import Transient
from shared.platform.postgres import Tx
from shared.rosters import Shifts

__all__ = [
    "OutdatedCache",
    "RosterChanges",
    "latest_version",
    "listed_at",
    "load_changes",
    "load_pools",
    "load_roster",
    "load_shifts",
    "load_specialists",
    "lock",
    "record_change",
]

CHANGES_KEPT: Final = 10_000
CHANGES_PRUNED_EVERY: Final = 1_000

LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('router matching'))"
# Shifts are not loaded here, but when one begins or ends; until then `on_shift` holds.
ROSTER: Final = """
    SELECT specialist_id, name, languages, presence, listed_at, removed, channel, capacity, load,
           levels, skills, team, certified, universal, weights, on_shift, turns_at, last_at,
           said, presence_until, away, unanswered, auto_ring
    FROM specialist JOIN capacity USING (specialist_id)
    LEFT JOIN presence USING (specialist_id)
"""
SOME_OF_ROSTER: Final = f"{ROSTER} WHERE specialist_id = ANY($1)"
SHIFTS: Final = """
    SELECT specialist_id, shifts FROM specialist
    WHERE specialist_id = ANY($1) AND shifts IS NOT NULL
"""
LISTED_AT: Final = """
    SELECT specialist_id, listed_at FROM specialist WHERE NOT removed ORDER BY specialist_id
"""
# At least one row, with the rules in force, which every decision needs.
CHANGES: Final = """
    SELECT version, specialist_ids, pools, document AS rules
    FROM (SELECT (SELECT document FROM rules)) AS rules (document)
    LEFT JOIN roster_change ON version > $1 ORDER BY version
"""
LATEST_VERSION: Final = """
    SELECT coalesce(max(version), 0), (SELECT document FROM rules) FROM roster_change
"""
RECORD_CHANGE: Final = (
    "INSERT INTO roster_change (specialist_ids, pools) VALUES ($1, $2) RETURNING version"
)
DELETE_CHANGES: Final = "DELETE FROM roster_change WHERE version <= $1"
# A loose index scan: its cost depends on the number of pools, not of waiting tickets.
POOLS: Final = """
    WITH RECURSIVE found AS (
        (SELECT pool FROM ticket WHERE waiting AND pool IS NOT NULL ORDER BY pool LIMIT 1)
        UNION ALL
        SELECT (SELECT pool FROM ticket WHERE waiting AND pool > found.pool ORDER BY pool LIMIT 1)
        FROM found WHERE found.pool IS NOT NULL
    )
    SELECT pool FROM found WHERE pool IS NOT NULL
"""


class OutdatedCache(Transient):
    """The cached roster differs from the database: reload it and decide again."""


async def lock(tx: Tx) -> None:
    """Take the matching lock until the transaction ends.

    An advisory lock, taken before any read: row locks would miss a specialist whom another
    router is adding.
    """
    await tx.execute(LOCK)


async def load_roster(tx: Tx) -> list[Specialist]:
    """Return all specialists with their loads."""
    return _specialists(await tx.fetch(ROSTER))


async def load_specialists(tx: Tx, specialist_ids: Collection[str]) -> list[Specialist]:
    """Return some specialists with their loads."""
    return _specialists(await tx.fetch(SOME_OF_ROSTER, specialist_ids))


async def load_pools(tx: Tx) -> set[Pool]:
    """Return the pools in which tickets wait."""
    return {Pool.named(row["pool"]) for row in await tx.fetch(POOLS)}


async def load_shifts(tx: Tx, specialist_ids: Collection[str]) -> dict[str, Shifts]:
    """Return the shifts of some specialists."""
    rows = await tx.fetch(SHIFTS, specialist_ids) if specialist_ids else ()
    return {row["specialist_id"]: Shifts.model_validate_json(row["shifts"]) for row in rows}


async def listed_at(tx: Tx) -> list[tuple[str, datetime]]:
    """Return each specialist on the roster, and the event time of the latest record."""
    return [tuple(row) for row in await tx.fetch(LISTED_AT)]


class RosterChanges(NamedTuple):
    """What changed after a version, up to ``version``: specialists, new pools, and the rules."""

    version: int
    specialist_ids: set[str]
    pools: set[Pool]
    rules: OfferRules


async def latest_version(tx: Tx) -> tuple[int, OfferRules]:
    """Return the version of the last change, and the rules in force."""
    row = await tx.fetchrow(LATEST_VERSION)
    assert row is not None  # noqa: S101 - an aggregate has one row
    version, document = row
    return version, rules_of(document)


async def load_changes(tx: Tx, since: int) -> RosterChanges | None:
    """Return the changes after a version; None if some of them are already deleted."""
    found = await tx.fetch(CHANGES, since)
    rows = [row for row in found if row["version"] is not None]
    version: int = rows[-1]["version"] if rows else since
    if version - since > CHANGES_KEPT:
        return None
    who = {one for row in rows for one in row["specialist_ids"]}
    pools = {Pool.named(one) for row in rows for one in row["pools"]}
    return RosterChanges(version, who, pools, rules_of(found[0]["rules"]))


async def record_change(tx: Tx, specialist_ids: Iterable[str], pools: Iterable[Pool] = ()) -> int:
    """Record a change of specialists or pools for all routers; return its version.

    Every transaction that writes to `specialist`, `capacity` or `presence` holds the lock and calls
    this, or other routers miss the change. Only a renewed presence, which changes nothing, is not
    recorded.
    """
    names = [pool.name for pool in pools]
    version: int = await tx.fetchval(RECORD_CHANGE, sorted(specialist_ids), sorted(names))
    if version % CHANGES_PRUNED_EVERY == 0:
        await tx.execute(DELETE_CHANGES, version - CHANGES_KEPT)
    return version


def _specialists(rows: Iterable[Any]) -> list[Specialist]:
    specialists: dict[str, Specialist] = {}
    for row in rows:
        specialist = specialists.get(row["specialist_id"])
        if specialist is None:
            specialist = specialists[row["specialist_id"]] = _specialist(row)
        channel = row["channel"]
        specialist.capacity[channel], specialist.load[channel] = row["capacity"], row["load"]
        if row["last_at"] is not None:
            specialist.last_at[channel] = row["last_at"]
    return [*specialists.values()]


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
        on_shift=row["on_shift"],
        turns_at=row["turns_at"],
        reported_presence=row["said"],
        presence_until=row["presence_until"],
        away=row["away"],
        unanswered=row["unanswered"],
        auto_ring=row["auto_ring"],
    )
