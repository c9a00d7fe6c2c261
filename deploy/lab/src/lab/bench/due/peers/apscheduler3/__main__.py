"""APScheduler 3 with its SQLAlchemy job store: a date job per clock, each announced by a thread.

Tuned: jobs never count as misfired, 64 threads, one round trip per statement. It deletes each job
from the table when it passes it to a thread, so a crash loses the jobs in flight.
"""

import asyncio
import pickle
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import psycopg
import uvloop
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.util import datetime_to_utc_timestamp

from lab.bench.due.batch import Batch
from lab.bench.due.peers.process import Announcer, Peer, Testbed, serve

_THREADS: Final = 64
_HOW: Final = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
_COPY: Final = "COPY apscheduler_jobs (id, next_run_time, job_state) FROM STDIN"

_announcers: Final[list[tuple[Announcer, asyncio.AbstractEventLoop]]] = []
"""Holds the process's announcer: the library finds a job's function only by a global name."""


def announce(key: str) -> None:
    """Run a job: publish, and wait for the broker."""
    announcer, loop = _announcers[0]
    asyncio.run_coroutine_threadsafe(announcer.announce(key), loop).result()


@dataclass(frozen=True)
class _Scheduled:
    dsn: str
    scheduler: BackgroundScheduler
    store: SQLAlchemyJobStore

    async def insert(self, batch: Batch) -> None:
        await asyncio.to_thread(self._copy, batch)
        if self.scheduler.running:
            self.scheduler.wakeup()

    async def work(self) -> None:
        self.scheduler.start()
        await asyncio.get_running_loop().create_future()

    def _copy(self, batch: Batch) -> None:
        with (
            psycopg.connect(self.dsn) as connection,
            connection.cursor() as cursor,
            cursor.copy(_COPY) as copy,
        ):
            for row in self._rows(batch):
                copy.write_row(row)

    def _rows(self, batch: Batch) -> Iterator[tuple[str, float, bytes]]:
        """Serialise jobs as the job store does, without a transaction for each."""
        for one, due_at in zip(batch.ids, batch.due_at, strict=True):
            state = self._job(str(one), due_at).__getstate__()
            state_bytes = pickle.dumps(state, self.store.pickle_protocol)
            yield str(one), datetime_to_utc_timestamp(due_at), state_bytes

    def _job(self, key: str, due_at: datetime) -> Job:
        return Job(
            self.scheduler,
            id=key,
            func=f"{__name__}:announce",
            args=(key,),
            kwargs={},
            name=key,
            trigger=DateTrigger(due_at, UTC),
            executor="default",
            next_run_time=due_at,
            **_HOW,
        )


@asynccontextmanager
async def _opened(testbed: Testbed, announcer: Announcer) -> AsyncIterator[Peer]:
    store = SQLAlchemyJobStore(
        url=testbed.dsn.replace("postgresql://", "postgresql+psycopg://", 1),
        engine_options={"isolation_level": "AUTOCOMMIT"},
    )
    store.jobs_t.create(store.engine, checkfirst=True)
    scheduler = BackgroundScheduler(
        jobstores={"default": store},
        executors={"default": ThreadPoolExecutor(_THREADS)},
        job_defaults=_HOW,
        timezone=UTC,
    )
    _announcers.append((announcer, asyncio.get_running_loop()))
    yield _Scheduled(testbed.dsn, scheduler, store)
    if scheduler.running:
        # In a thread, because it waits for jobs that this loop still has to publish.
        await asyncio.to_thread(scheduler.shutdown)


if __name__ == "__main__":
    uvloop.run(serve(_opened))
