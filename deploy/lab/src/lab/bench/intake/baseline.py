"""The baseline: for each request one transaction of three statements, over asyncpg."""

from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import asyncpg

from shared.events import SupportRequest

__all__ = ["Entry", "SqlConnection", "connected", "entries", "made"]

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
    """The values that a request leaves in the tables."""

    document_id: UUID
    ticket_id: UUID
    event_id: UUID
    value: str


class SqlConnection:
    """A connection that writes each entry in its own transaction."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def send(self, what: Entry) -> None:
        """Write an entry, and return after the commit."""
        async with self._connection.transaction():
            await self._connection.execute(_CLAIM, what.document_id)
            await self._connection.execute(_KEEP, what.ticket_id, what.value)
            await self._connection.execute(_ANNOUNCE, what.event_id, what.value)


async def connected(dsn: str, count: int) -> list[SqlConnection]:
    """Open ``count`` connections, which the end of the process closes."""
    settings = {"synchronous_commit": "on"}
    return [
        SqlConnection(await asyncpg.connect(dsn, server_settings=settings)) for _ in range(count)
    ]


def entries(wanted: Sequence[SupportRequest]) -> list[Entry]:
    """Prepare the entries of requests, before the measurement."""
    return [
        Entry(r.document_id, r.ticket_id, uuid5(r.document_id, "baseline"), r.model_dump_json())
        for r in wanted
    ]


async def made(admin_dsn: str) -> str:
    """Create the baseline's database in the stack, and return its DSN."""
    maker = await asyncpg.connect(admin_dsn)
    await maker.execute("CREATE DATABASE baseline")
    await maker.close()
    dsn = urlsplit(admin_dsn)._replace(path="/baseline").geturl()
    owner = await asyncpg.connect(dsn)
    await owner.execute(_MAKE)
    await owner.close()
    return dsn
