"""SQL on the four databases: unfinished work, and the state at the end of a run."""

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

__all__ = ["ClockRow", "DatabaseState", "RecordedAction", "RoutedTicket", "Tables"]

# One statement per database, so that a row that moves between its tables is never missed.
# Each statement counts the work that is left, so that progress is visible.
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
_OPEN: Final = """
    SELECT ticket_id FROM ticket WHERE waiting OR specialist_id IS NOT NULL
    UNION SELECT ticket_id FROM offer WHERE state = 'open'
"""
_ACTIONS: Final = """
    SELECT ticket_id, kind, actor, at, to_id AS what FROM act
    UNION ALL
    SELECT ticket_id, 'dial', specialist_id, at, outcome FROM callback_fact
    WHERE kind = 'attempted'
"""
_DELIVERIES: Final = "SELECT delivery_id, state FROM delivery"

# The state that a run must lead to, even if services were killed meanwhile.
# How often a mail was tried is left out, because that depends on timing.
# What router knew of a clock when it decided is left out: clocks come on another topic, any time.
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
class RoutedTicket:
    """A ticket in router's database."""

    ticket_id: UUID
    assigned_count: int
    waiting: bool


@dataclass(frozen=True, slots=True)
class ClockRow:
    """A clock in sla-monitor's database; the ``kind`` of a recurring promise includes its cycle."""

    ticket_id: UUID
    kind: str
    state: str
    broken: str | None
    broken_id: UUID | None


@dataclass(frozen=True, slots=True)
class RecordedAction:
    """An action of a specialist or lead, in router's database.

    ``what`` is its result: a severity, the outcome of a call, the specialist who got the ticket.
    """

    ticket_id: UUID
    kind: str
    actor: str
    at: datetime
    what: str | None


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """The final state in all databases."""

    tickets: frozenset[UUID]
    routed: Sequence[RoutedTicket]
    actions: Sequence[RecordedAction]
    clocks: Sequence[ClockRow]
    deliveries: Mapping[UUID, str]
    dead_letters: Sequence[DeadLetter]


class Tables:
    """The databases of a stack, opened as their owners; every method may raise Transient."""

    def __init__(self, dsns: Mapping[str, str]) -> None:
        self.databases = {
            name: Database(dsn, service="premium", connections_max=2) for name, dsn in dsns.items()
        }
        self._open = AsyncExitStack()

    async def start(self) -> None:
        """Connect to all databases."""
        for database in self.databases.values():
            await database.start()
            self._open.push_async_callback(database.stop)

    async def stop(self) -> None:
        """Close all connections."""
        await self._open.aclose()

    async def work_left(self, name: str) -> str | None:
        """Describe a service's unfinished work; None if there is none."""
        left: str | None = await self._value(name, _BUSY[name])
        return left

    async def last_due_at(self) -> datetime | None:
        """Return when the last open clock falls due; None if no clock is open."""
        moment: datetime | None = await self._value("sla_monitor", _LAST_DUE)
        return moment

    async def ringing(self) -> list[tuple[UUID, str]]:
        """Return the open offers and their specialists."""
        rows = await self._rows("router", _RINGS)
        return [(row["offer_id"], row["specialist_id"]) for row in rows]

    async def open_tickets(self) -> frozenset[UUID]:
        """Return the tickets that are assigned, offered or waiting."""
        return frozenset(row["ticket_id"] for row in await self._rows("router", _OPEN))

    async def tickets(self, *, besides: str | None = None) -> int:
        """Count all tickets, except those of sources with the prefix ``besides``."""
        count: int = await self._value("intake", _COUNT, besides)
        return count

    async def specialists(self, *, besides: Sequence[str]) -> int:
        """Count the specialists on the roster, except ``besides``."""
        count: int = await self._value("router", _SPECIALISTS, besides)
        return count

    async def state(self) -> DatabaseState:
        """Read the final state of all databases."""
        deliveries = await self._rows("notifier", _DELIVERIES)
        return DatabaseState(
            tickets=frozenset(row["ticket_id"] for row in await self._rows("intake", _TICKETS)),
            routed=[RoutedTicket(*row) for row in await self._rows("router", _ROUTED)],
            actions=[RecordedAction(*row) for row in await self._rows("router", _ACTIONS)],
            clocks=[ClockRow(*row) for row in await self._rows("sla_monitor", _CLOCKS)],
            deliveries={row["delivery_id"]: row["state"] for row in deliveries},
            dead_letters=[one for name in self.databases for one in await self._dead_letters(name)],
        )

    async def digests(self) -> dict[str, str]:
        """Return a digest of each database, independent of the order of rows."""
        return {name: await self._digest(name, queries) for name, queries in _STATE.items()}

    async def _digest(self, name: str, queries: Sequence[str]) -> str:
        async with self.databases[name].session() as session:
            await session.execute(_UTC)
            found = [await session.fetchval(_DIGEST.format(query=query)) for query in queries]
        return hashlib.sha256("".join(str(one) for one in found).encode()).hexdigest()

    async def _dead_letters(self, name: str) -> list[DeadLetter]:
        async with self.databases[name].session() as session:
            return await dead_letters.all_parked(session)

    async def _rows(self, name: str, query: str) -> list[Any]:
        async with self.databases[name].session() as session:
            return await session.fetch(query)

    async def _value(self, name: str, query: str, *args: object) -> Any:  # noqa: ANN401 - a column
        async with self.databases[name].session() as session:
            return await session.fetchval(query, *args)
