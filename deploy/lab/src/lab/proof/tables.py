"""What the four databases say: whether work is left, and what everything came to."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from shared.platform import dead_letters
from shared.platform.dead_letters import DeadLetter
from shared.platform.postgres import Database

__all__ = ["Books", "Deed", "Routed", "Tables", "Timed"]

# One statement a database: what is taken from one table and put into another is never unseen.
# Counted, so that somebody who waits sees it become less.
_PUBLISH: Final = "SELECT nullif(count(*), 0) || ' events to publish' FROM outbox"
_BUSY: Final = {
    "intake": _PUBLISH,
    "router": """
        SELECT coalesce(
            (SELECT nullif(count(*), 0) || ' tickets to wake' FROM ticket
             WHERE wakes_at <= premium_now()),
            (SELECT nullif(count(*), 0) || ' events to publish' FROM outbox))
    """,
    "sla_monitor": """
        SELECT coalesce(
            (SELECT nullif(count(*), 0) || ' clocks due' FROM clock
             WHERE next_at <= premium_now()),
            (SELECT nullif(count(*), 0) || ' events to publish' FROM outbox))
    """,
    "notifier": """
        SELECT coalesce(
            (SELECT nullif(count(*), 0) || ' mails to send' FROM delivery WHERE state = 'pending'),
            (SELECT nullif(count(*), 0) || ' events to publish' FROM outbox))
    """,
}
_TICKETS: Final = "SELECT ticket_id FROM ticket"
_ROUTED: Final = """
    SELECT ticket_id, assigned_count, waiting FROM ticket WHERE account_id IS NOT NULL
"""
_CLOCKS: Final = """
    SELECT ticket_id,
           CASE WHEN recurs THEN kind::text || '/' || started_by ELSE kind::text END,
           state, broken, broken_id
    FROM clock
"""
_IN_HANDS: Final = """
    SELECT ticket_id FROM ticket WHERE waiting OR specialist_id IS NOT NULL
    UNION SELECT ticket_id FROM offer WHERE state = 'open'
"""
_DEEDS: Final = """
    SELECT ticket_id, kind, actor, at, to_id AS what FROM act
    UNION ALL
    SELECT ticket_id, 'dial', specialist_id, at, outcome FROM callback_fact
    WHERE kind = 'attempted'
"""
_DELIVERIES: Final = "SELECT delivery_id, state FROM delivery"

# What a run must come to, whatever happened on the way. Left out is how often a mail was tried, and
# what router had read of a clock when it decided: clocks come on another topic, sooner or later.
_STATE: Final = {
    "intake": ("SELECT * FROM ticket",),
    "router": (
        """
        SELECT ticket_id, account_id, channel, severity, language, create_date, state,
               specialist_id, assigned_count, offered_count, waiting
        FROM ticket
        """,
        "SELECT * FROM capacity",
        "SELECT offer_id, ticket_id, specialist_id, state FROM offer",
    ),
    "sla_monitor": (
        "SELECT * FROM clock",
        """
        SELECT ticket_id, fact_id, source, occurred_at, type,
               CASE WHEN source <> 'router' THEN data END
        FROM fact
        """,
    ),
    "notifier": (
        "SELECT * FROM assignment",
        "SELECT delivery_id, ticket_id, alert, specialist_id, planned_at, state FROM delivery",
    ),
}
_DIGEST: Final = """
    SELECT md5(string_agg(row, '' ORDER BY row COLLATE "C"))
    FROM (SELECT md5(t::text) AS row FROM ({query}) AS t) AS rows
"""
_UTC: Final = "SET TIME ZONE 'UTC'"
_SPECIALISTS: Final = """
    SELECT count(*) FROM specialist WHERE NOT removed AND specialist_id <> ALL($1)
"""
_LAST_DUE: Final = "SELECT max(next_at) FROM clock"
_RINGS: Final = "SELECT offer_id, specialist_id FROM offer WHERE state = 'open'"
_COUNT: Final = """
    SELECT count(*) FROM ticket WHERE $1::text IS NULL OR NOT starts_with(source, $1)
"""


@dataclass(frozen=True, slots=True)
class Routed:
    """A ticket as the router knows it."""

    ticket_id: UUID
    assigned_count: int
    waiting: bool


@dataclass(frozen=True, slots=True)
class Timed:
    """A clock as sla-monitor knows it; ``kind`` goes with its cycle, where a kind recurs."""

    ticket_id: UUID
    kind: str
    state: str
    broken: str | None
    broken_id: UUID | None


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did at a desk, as router has it on record.

    ``what`` is what it came to: a severity, what came of a call, to whom a ticket was moved.
    """

    ticket_id: UUID
    kind: str
    actor: str
    at: datetime
    what: str | None


@dataclass(frozen=True, slots=True)
class Books:
    """What the databases say became of everything."""

    tickets: frozenset[UUID]
    routed: Sequence[Routed]
    deeds: Sequence[Deed]
    clocks: Sequence[Timed]
    deliveries: Mapping[UUID, str]
    parked: Sequence[DeadLetter]


class Tables:
    """The databases of a stack, each with its owner's rights; every method may raise Transient."""

    def __init__(self, dsns: Mapping[str, str]) -> None:
        self.databases = {
            name: Database(dsn, service="premium", connections_max=2) for name, dsn in dsns.items()
        }
        self._open = AsyncExitStack()

    async def start(self) -> None:
        """Connect to all."""
        for database in self.databases.values():
            await database.start()
            self._open.push_async_callback(database.stop)

    async def stop(self) -> None:
        """Close what was opened."""
        await self._open.aclose()

    async def work_left(self, name: str) -> str | None:
        """Name what one service has yet to do by itself, or None."""
        left: str | None = await self._value(name, _BUSY[name])
        return left

    async def last_due_at(self) -> datetime | None:
        """Say when the last clock falls due; None when no clock waits for time."""
        moment: datetime | None = await self._value("sla_monitor", _LAST_DUE)
        return moment

    async def ringing(self) -> list[tuple[UUID, str]]:
        """List the offers that are open, and whose each is."""
        rows = await self._rows("router", _RINGS)
        return [(row["offer_id"], row["specialist_id"]) for row in rows]

    async def in_hands(self) -> frozenset[UUID]:
        """List the tickets that somebody has, that ring at somebody, or wait for somebody."""
        return frozenset(row["ticket_id"] for row in await self._rows("router", _IN_HANDS))

    async def tickets(self, *, besides: str | None = None) -> int:
        """Count the tickets there are; ``besides`` leaves out sources that begin so."""
        count: int = await self._value("intake", _COUNT, besides)
        return count

    async def specialists(self, *, besides: Sequence[str]) -> int:
        """Count who is on the roster, some left out."""
        count: int = await self._value("router", _SPECIALISTS, besides)
        return count

    async def books(self) -> Books:
        """Read what became of everything."""
        deliveries = await self._rows("notifier", _DELIVERIES)
        return Books(
            tickets=frozenset(row["ticket_id"] for row in await self._rows("intake", _TICKETS)),
            routed=[Routed(*row) for row in await self._rows("router", _ROUTED)],
            deeds=[Deed(*row) for row in await self._rows("router", _DEEDS)],
            clocks=[Timed(*row) for row in await self._rows("sla_monitor", _CLOCKS)],
            deliveries={row["delivery_id"]: row["state"] for row in deliveries},
            parked=[letter for name in self.databases for letter in await self._parked(name)],
        )

    async def digests(self) -> dict[str, str]:
        """Fingerprint the state of each database, whatever order its rows are in."""
        return {name: await self._digest(name, queries) for name, queries in _STATE.items()}

    async def _digest(self, name: str, queries: Sequence[str]) -> str:
        async with self.databases[name].session() as session:
            await session.execute(_UTC)
            found = [await session.fetchval(_DIGEST.format(query=query)) for query in queries]
        return hashlib.sha256("".join(str(one) for one in found).encode()).hexdigest()

    async def _parked(self, name: str) -> list[DeadLetter]:
        async with self.databases[name].session() as session:
            return await dead_letters.all_parked(session)

    async def _rows(self, name: str, query: str) -> list[Any]:
        async with self.databases[name].session() as session:
            return await session.fetch(query)

    async def _value(self, name: str, query: str, *args: object) -> Any:  # noqa: ANN401 - a column
        async with self.databases[name].session() as session:
            return await session.fetchval(query, *args)
