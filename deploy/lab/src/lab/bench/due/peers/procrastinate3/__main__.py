"""procrastinate 3: a job per clock, with `scheduled_at`; one worker with many concurrent jobs.

Tuned: polls every ten milliseconds, 50 concurrent jobs, done jobs deleted, no notifications (there
is none when a job falls due), and two indexes that it lacks: if either is missing, each poll reads
all open jobs. A job that a crash interrupts is tried again.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg
import uvloop
from procrastinate import App, PsycopgConnector
from procrastinate.jobs import DeleteJobCondition

from lab.bench.due.batch import Batch
from lab.bench.due.peers.process import Announcer, Peer, Testbed, serve

_POLL_S: Final = 0.01
_JOBS: Final = 50

_INDEX: Final = """
    CREATE INDEX IF NOT EXISTS jobs_scheduled_at ON procrastinate_jobs (scheduled_at)
    WHERE status = 'todo';
    CREATE INDEX IF NOT EXISTS jobs_lock ON procrastinate_jobs (lock)
    WHERE status IN ('todo', 'doing');
"""
"""The planner uses the first index only if the second makes the check of locks cheap."""
_INSERT: Final = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, args, scheduled_at)
    SELECT 'default', 'announce', jsonb_build_object('key', md5($1 || '/' || n)::uuid),
           $3::timestamptz + n * $4::interval
    FROM generate_series(0, $2::bigint - 1) AS n
"""


@dataclass(frozen=True)
class _Queue:
    app: App
    inserting: asyncpg.Connection

    async def insert(self, batch: Batch) -> None:
        await self.inserting.execute(_INSERT, batch.run, batch.count, batch.first, batch.step)

    async def work(self) -> None:
        await self.app.run_worker_async(
            concurrency=_JOBS,
            fetch_job_polling_interval=_POLL_S,
            listen_notify=False,
            delete_jobs=DeleteJobCondition.ALWAYS,
            install_signal_handlers=False,
        )


@asynccontextmanager
async def _opened(testbed: Testbed, announcer: Announcer) -> AsyncIterator[Peer]:
    app = App(connector=PsycopgConnector(conninfo=testbed.dsn, min_size=4, max_size=10))

    @app.task(name="announce")
    async def announce(key: str) -> None:
        await announcer.announce(key)

    async with app.open_async():
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        inserting = await asyncpg.connect(testbed.dsn)
        await inserting.execute(_INDEX)
        yield _Queue(app, inserting)
        await inserting.close()


if __name__ == "__main__":
    uvloop.run(serve(_opened))
