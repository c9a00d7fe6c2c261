"""The floor: one transaction of three statements a request, over asyncpg, and nothing else."""

from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import asyncpg

from shared.events import SupportRequest

__all__ = ["Entry", "SqlLine", "connected", "entries", "made"]

_MAKE: Final = """
    CREATE TABLE processed_event (event_id uuid PRIMARY KEY);
    CREATE TABLE ticket (id uuid PRIMARY KEY, value text NOT NULL);
    CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        event_id uuid NOT NULL, value text NOT NULL);
"""
_CLAIM: Final = "INSERT INTO processed_event (event_id) VALUES ($1)"
_KEEP: Final = "INSERT INTO ticket (id, value) VALUES ($1, $2)"
_ANNOUNCE: Final = "INSERT INTO outbox (event_id, value) VALUES ($1, $2)"


class Entry(NamedTuple):
    """What a request leaves in the tables."""

    document_id: UUID
    ticket_id: UUID
    event_id: UUID
    value: str


class SqlLine:
    """A connection that writes an entry in a transaction of its own."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def ask(self, what: Entry) -> None:
        """Commit, and return when it is on disk."""
        async with self._connection.transaction():
            await self._connection.execute(_CLAIM, what.document_id)
            await self._connection.execute(_KEEP, what.ticket_id, what.value)
            await self._connection.execute(_ANNOUNCE, what.event_id, what.value)


async def connected(dsn: str, count: int) -> list[SqlLine]:
    """Open so many connections; the end of the process closes them."""
    settings = {"synchronous_commit": "on"}
    return [SqlLine(await asyncpg.connect(dsn, server_settings=settings)) for _ in range(count)]


def entries(wanted: Sequence[SupportRequest]) -> list[Entry]:
    """Make what requests leave, before any time is taken."""
    return [
        Entry(r.document_id, r.ticket_id, uuid5(r.document_id, "floor"), r.model_dump_json())
        for r in wanted
    ]


async def made(admin_dsn: str) -> str:
    """Make the floor's database in the bench's own stack, which is removed whole; name its DSN."""
    maker = await asyncpg.connect(admin_dsn)
    await maker.execute("CREATE DATABASE floor")
    await maker.close()
    dsn = urlsplit(admin_dsn)._replace(path="/floor").geturl()
    owner = await asyncpg.connect(dsn)
    await owner.execute(_MAKE)
    await owner.close()
    return dsn
