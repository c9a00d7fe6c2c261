"""SQL of the inbox's pages."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from shared.platform.postgres import Tx
from shared.sla.promises import Channel
from shared.web.change_feed import Changes
from shared.web.visitors import Person

__all__ = [
    "QUEUE_PAGE",
    "QueueFilter",
    "answered",
    "dialled",
    "done",
    "held",
    "is_listed",
    "may_see",
    "names",
    "offered",
    "person",
    "poll_changes",
    "queue",
    "queue_sizes",
    "specialists",
    "specialists_for",
    "ticket",
    "timeline",
    "unanswered",
]

QUEUE_PAGE: Final = 100
"""Number of tickets on a page of the queue."""
PAGE_MAX: Final = 1_000_000
"""The last page that may be requested: PostgreSQL could not count the rows beyond."""

# A row of a page. `accepted` has the promises; it is null for tickets older than the history.
_ROW: Final = """
    t.ticket_id, t.account_id, t.role, t.channel, t.language, t.create_date, t.due_at, t.clocks,
    t.state, t.answered_at, t.asked_at, t.specialist_id, t.waiting, t.pool, t.pinned_to,
    t.rings_at, t.assigned_count + t.offered_count AS turn,
    coalesce(t.reclassified_to, t.severity) AS severity,
    (SELECT name FROM specialist AS s WHERE s.specialist_id = t.pinned_to) AS kept_for,
    t.confirmed = coalesce(t.reclassified_to, t.severity) AS confirmed,
    (SELECT fact FROM ticket_history AS h WHERE h.ticket_id = t.ticket_id
        AND h.type = 'premium.ticket.accepted.v1' LIMIT 1) AS accepted,
    (SELECT count(*) FROM ticket_history AS h WHERE h.ticket_id = t.ticket_id) AS version
"""
# `since` is where the next poll begins: the oldest running transaction / the last roster change.
# Versions of roster changes become visible in their order, so that a poll misses none.
POLL_CHANGES: Final = """
    SELECT premium_now() AS as_of, now() AS real_at,
           pg_snapshot_xmin(pg_current_snapshot())::text || '/'
               || coalesce((SELECT max(version) FROM roster_change), 0) AS since,
           ARRAY(SELECT specialist_id FROM ticket_history
                 WHERE tx >= split_part($1::text, '/', 1)::xid8 AND specialist_id IS NOT NULL
                 UNION SELECT unnest(specialist_ids) FROM roster_change
                 WHERE version > split_part($1::text, '/', 2)::bigint) AS changed
"""
LISTED: Final = "SELECT EXISTS (SELECT FROM specialist WHERE specialist_id = $1 AND NOT removed)"
PERSON: Final = """
    SELECT specialist_id, name, presence, said, away, unanswered, on_shift, turns_at,
           coalesce(shifts ->> 'zone', 'UTC') AS zone
    FROM specialist LEFT JOIN presence USING (specialist_id)
    WHERE specialist_id = $1 AND NOT removed
"""
NAMES: Final = "SELECT specialist_id, name FROM specialist WHERE specialist_id = ANY($1)"
HELD: Final = f"""
    SELECT {_ROW} FROM ticket AS t WHERE t.specialist_id = $1 ORDER BY t.due_at, ticket_id
"""
OFFERED: Final = f"""
    SELECT {_ROW}, o.offer_id, o.offered_at, o.lease_ends_at
    FROM offer AS o JOIN ticket AS t USING (ticket_id)
    WHERE o.state = 'open' AND o.specialist_id = $1 ORDER BY o.lease_ends_at, t.ticket_id
"""
TICKET: Final = f"""
    SELECT {_ROW}, o.offer_id, o.offered_at, o.lease_ends_at, o.specialist_id AS offered_to
    FROM ticket AS t LEFT JOIN offer AS o ON o.ticket_id = t.ticket_id AND o.state = 'open'
    WHERE t.ticket_id = $1
"""
# Who has or is offered a ticket, or had it when the work ended: only they and leads may see it.
MAY_SEE: Final = """
    SELECT EXISTS (SELECT FROM ticket WHERE ticket_id = $1 AND specialist_id = $2)
        OR EXISTS (SELECT FROM offer
                   WHERE ticket_id = $1 AND specialist_id = $2 AND state = 'open')
        OR EXISTS (SELECT FROM ticket_history WHERE ticket_id = $1 AND specialist_id = $2
                   AND type = 'premium.assignment.released.v1')
"""
# Tickets that the specialist released today and does not have again; the last release counts.
DONE: Final = f"""
    SELECT {_ROW}, last.at AS done_at, last.fact ->> 'cause' AS cause
    FROM (SELECT DISTINCT ON (ticket_id) ticket_id, at, fact FROM ticket_history
          WHERE specialist_id = $1 AND at >= $2 AND type = 'premium.assignment.released.v1'
          ORDER BY ticket_id, at DESC) AS last
    JOIN ticket AS t USING (ticket_id)
    WHERE t.specialist_id IS DISTINCT FROM $1
    ORDER BY last.at DESC, ticket_id
"""
# Tickets that the specialist answered, until the customer replies or they are closed; none that
# were answered by a call.
ANSWERED: Final = f"""
    SELECT {_ROW}, t.answered_at AS done_at FROM ticket AS t
    WHERE answered_by = $1 AND state = 'answered'
    ORDER BY answered_at DESC, ticket_id LIMIT 200
"""
# The latest 2000 events, if the history has more.
TIMELINE: Final = """
    SELECT * FROM (
        SELECT at, tx, type, specialist_id, fact ->> 'by' AS by, fact FROM ticket_history
        WHERE ticket_id = $1 ORDER BY at DESC, tx DESC, type DESC LIMIT 2000) AS latest
    ORDER BY at, tx, type
"""
LEAD_COMMANDS: Final = """
    SELECT at, kind, actor, to_id, reason FROM act
    WHERE ticket_id = $1 AND kind IN ('move', 'pin', 'unpin') ORDER BY act_id LIMIT 200
"""
QUEUE: Final = f"""
    SELECT {_ROW} FROM ticket AS t
    WHERE waiting AND ($1::text IS NULL OR channel = $1)
      AND ($2::text IS NULL OR base_language = $2)
    ORDER BY CASE WHEN $3 THEN create_date ELSE due_at END, create_date, ticket_id
    LIMIT $4 OFFSET $5
"""
UNANSWERED: Final = f"""
    SELECT {_ROW} FROM ticket AS t WHERE waiting AND rings_at IS NOT NULL
    ORDER BY due_at, ticket_id LIMIT $1
"""
QUEUE_SIZES: Final = """
    SELECT channel, base_language AS language, count(*) AS waiting
    FROM ticket WHERE waiting GROUP BY 1, 2 ORDER BY 1, 2
"""
SPECIALISTS: Final = """
    SELECT s.specialist_id, name, presence, said, away, on_shift, turns_at, languages, team,
           jsonb_object_agg(channel, jsonb_build_array(load, capacity)) AS room,
           sum(load) AS load
    FROM specialist AS s JOIN capacity USING (specialist_id)
    LEFT JOIN presence USING (specialist_id)
    WHERE NOT removed AND ($1::text IS NULL OR team = $1)
    GROUP BY s.specialist_id, said
    ORDER BY CASE WHEN $2 THEN -sum(load) ELSE 0 END, name LIMIT $3
"""
SPECIALISTS_FOR: Final = """
    SELECT specialist_id, name, capacity - load AS room
    FROM specialist JOIN capacity USING (specialist_id)
    LEFT JOIN presence USING (specialist_id)
    WHERE NOT removed AND channel = $1 AND capacity > 0
    ORDER BY (presence = 'online' AND coalesce(said, 'online') = 'online' AND away IS NULL
              AND on_shift) DESC, capacity - load DESC, name LIMIT 100
"""
DIALLED: Final = """
    SELECT EXISTS (SELECT FROM ticket_history WHERE ticket_id = $1 AND specialist_id = $2
                   AND type = 'premium.callback.attempted.v1')
"""

type Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """The part of the queue that a lead has chosen; None means all."""

    channel: Channel | None = None
    language: str | None = None
    oldest_first: bool = False
    page: int = 1

    def shows(self, pool: Row) -> bool:
        """Return whether the chosen part includes a queue, by its channel and language."""
        return self.channel in (None, pool["channel"]) and self.language in (
            None,
            pool["language"],
        )


async def poll_changes(tx: Tx, since: str | None) -> Changes:
    """Return specialists whose tickets or entry changed since the last poll; none at the first."""
    row = await tx.fetchrow(POLL_CHANGES, since)
    assert row is not None  # noqa: S101 - it reads no table
    return Changes(row["as_of"], frozenset(row["changed"]), row["since"], row["real_at"])


async def is_listed(tx: Tx, person: Person) -> bool:
    """Return whether a person is on the roster."""
    return bool(await tx.fetchval(LISTED, person.name))


async def person(tx: Tx, name: str) -> Row | None:
    """Return a specialist's entry, presence and shift."""
    return await tx.fetchrow(PERSON, name)


async def names(tx: Tx, ids: Collection[str]) -> dict[str, str]:
    """Return the names of specialists by id."""
    return {row["specialist_id"]: row["name"] for row in await tx.fetch(NAMES, [*ids])}


async def held(tx: Tx, name: str) -> Sequence[Row]:
    """Return a specialist's tickets, the first due first."""
    return await tx.fetch(HELD, name)


async def offered(tx: Tx, name: str) -> Sequence[Row]:
    """Return a specialist's open offers, the earliest end of a lease first."""
    return await tx.fetch(OFFERED, name)


async def done(tx: Tx, name: str, since: datetime) -> Sequence[Row]:
    """Return tickets a specialist released since then and does not have again, latest first."""
    return await tx.fetch(DONE, name, since)


async def answered(tx: Tx, name: str) -> Sequence[Row]:
    """Return a specialist's answered tickets to which the customer may reply, latest first."""
    return await tx.fetch(ANSWERED, name)


async def ticket(tx: Tx, ticket_id: UUID) -> Row | None:
    """Return one ticket."""
    return await tx.fetchrow(TICKET, ticket_id)


async def may_see(tx: Tx, ticket_id: UUID, name: str) -> bool:
    """Return whether a specialist may see a ticket without being a lead."""
    return bool(await tx.fetchval(MAY_SEE, ticket_id, name))


async def timeline(tx: Tx, ticket_id: UUID) -> tuple[Sequence[Row], Sequence[Row]]:
    """Return the events of a ticket, and the leads' commands on it."""
    return await tx.fetch(TIMELINE, ticket_id), await tx.fetch(LEAD_COMMANDS, ticket_id)


async def queue(tx: Tx, chosen: QueueFilter) -> Sequence[Row]:
    """Return one page of the waiting tickets."""
    offset = (chosen.page - 1) * QUEUE_PAGE
    where = (chosen.channel, chosen.language, chosen.oldest_first)
    return await tx.fetch(QUEUE, *where, QUEUE_PAGE, offset)


async def unanswered(tx: Tx) -> Sequence[Row]:
    """Return waiting tickets whose offers no specialist accepted, the earliest due first."""
    return await tx.fetch(UNANSWERED, QUEUE_PAGE)


async def queue_sizes(tx: Tx) -> Sequence[Row]:
    """Count the waiting tickets by channel and language."""
    return await tx.fetch(QUEUE_SIZES)


async def specialists(tx: Tx, team: str | None, *, by_load: bool) -> Sequence[Row]:
    """Return load and availability of a team's specialists (None: all), at most 200."""
    return await tx.fetch(SPECIALISTS, team, by_load, 200)


async def specialists_for(tx: Tx, channel: Channel) -> Sequence[Row]:
    """Return the specialists who serve a channel, available ones with most room first."""
    return await tx.fetch(SPECIALISTS_FOR, channel)


async def dialled(tx: Tx, ticket_id: UUID, name: str) -> bool:
    """Return whether a specialist dialled for a ticket, which they may no longer have."""
    return bool(await tx.fetchval(DIALLED, ticket_id, name))
