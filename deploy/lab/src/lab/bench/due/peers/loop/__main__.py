"""A bare SQL loop: every ten milliseconds one UPDATE claims due clocks, which go to Kafka.

A crash between the commit and Kafka loses the claimed clocks.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg
import uvloop

from lab.bench.due.batch import Batch
from lab.bench.due.peers.process import Announcer, Peer, Testbed, serve
from lab.bench.measures import pause

_POLL_S: Final = 0.01

_MAKE: Final = """
    CREATE TABLE IF NOT EXISTS timer (id uuid PRIMARY KEY, due_at timestamptz);
    CREATE INDEX IF NOT EXISTS timer_due_at ON timer (due_at) WHERE due_at IS NOT NULL;
"""
_INSERT: Final = """
    INSERT INTO timer (id, due_at)
    SELECT md5($1 || '/' || n)::uuid, $3::timestamptz + n * $4::interval
    FROM generate_series(0, $2::bigint - 1) AS n
"""
_CLAIM: Final = """
    UPDATE timer SET due_at = NULL WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM timer WHERE due_at <= now()
        ORDER BY due_at LIMIT 500 FOR UPDATE SKIP LOCKED
    )) RETURNING id
"""
"""By ctid, so that no query plan reads the whole table."""


@dataclass(frozen=True)
class _Loop:
    connection: asyncpg.Connection
    inserting: asyncpg.Connection
    announcer: Announcer

    async def insert(self, batch: Batch) -> None:
        await self.inserting.execute(_INSERT, batch.run, batch.count, batch.first, batch.step)

    async def work(self) -> None:
        while True:
            rows = await self.connection.fetch(_CLAIM)
            if rows:
                await asyncio.gather(*(self.announcer.announce(str(row["id"])) for row in rows))
            else:
                await pause(_POLL_S)


@asynccontextmanager
async def _opened(testbed: Testbed, announcer: Announcer) -> AsyncIterator[Peer]:
    connection, inserting = [await asyncpg.connect(testbed.dsn) for _ in range(2)]
    await inserting.execute(_MAKE)
    yield _Loop(connection, inserting, announcer)
    await inserting.close()
    await connection.close()


if __name__ == "__main__":
    uvloop.run(serve(_opened))
