"""The sweep: what time alone brings. PostgreSQL's clock decides, read once a sweep."""

import asyncio
from typing import Final

import structlog
from prometheus_client import Counter, Histogram

from shared import outbox
from shared.clock import or_after
from shared.errors import Transient
from shared.postgres import Database
from sla_monitor import domain, store
from sla_monitor.domain import Announced, Clock

__all__ = ["Sweeper", "sweep"]

_LOG = structlog.get_logger()
_BATCH_MAX: Final = 500
_LOOK_S: Final = 0.05
"""How often to look for what another instance, or a change of business time, made due."""
_AWAY_S: Final = 0.5

LAG_S: Final = Histogram(
    "premium_due_lag_seconds",
    "From due to announced in the database, in business time",
    buckets=(0.005, 0.01, 0.02, 0.04, 0.1, 0.25, 0.5, 1, 5, 60, 3600),
)
SWEPT: Final = Counter("premium_clocks_swept", "Clocks that had something due")


async def sweep(db: Database, *, limit: int) -> int:
    """Announce what is due, the longest due first; the number of clocks handled comes back."""
    async with db.transaction() as tx:
        due = await store.due_clocks(tx, limit=limit)
        changed: list[Clock] = []
        announced: list[Announced] = []
        for clock, now, was_due_at in due:
            after, events = domain.fall_due(clock, now=now)
            changed.append(after)
            announced += events
            LAG_S.observe((now - was_due_at).total_seconds())
        if due:
            await store.save_clocks(tx, changed)
            await outbox.add(tx, announced)
    SWEPT.inc(len(due))
    return len(due)


class Sweeper:
    """Sweeps as long as something is due, else sleeps until the next due time."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start sweeping in the background."""
        self._task = asyncio.create_task(self._run(), name="sweep")

    async def stop(self) -> None:
        """Finish the sweep in hand."""
        self._stop.set()
        if self._task is not None:
            await self._task

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The background task, watched by the lifecycle."""
        return self._task

    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                await self._watch()
            except Transient as e:
                _LOG.warning("sweep_waits", reason=str(e))
                await or_after(self._stop.wait(), _AWAY_S)

    async def _watch(self) -> None:
        async with self._db.session() as session:
            while not self._stop.is_set():
                wait_s = await store.seconds_to_next(session)
                if wait_s is not None and wait_s <= 0:
                    await sweep(self._db, limit=_BATCH_MAX)
                else:
                    await or_after(self._stop.wait(), min(wait_s or _LOOK_S, _LOOK_S))
