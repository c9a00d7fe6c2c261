"""The sweep: applies timers as soon as they are due, whether or not events arrive."""

from typing import Final, override

from router.service.routing import RoutingService
from router.store import tickets as ticket_store
from shared.basics.clock import wait_at_most
from shared.platform.background import Background
from shared.platform.postgres import Database, now

__all__ = ["Sweeper", "sweep"]

_POLL_S: Final = 0.05
"""Longest time between two looks: other routers, or faster business time, may make timers due."""


async def sweep(db: Database, routing: RoutingService) -> None:
    """Apply the timers that are due, in one transaction."""
    async with db.transaction() as tx:
        await routing.wake(tx, await now(tx))


class Sweeper(Background):
    """Waits for the next timer of router, then sweeps."""

    def __init__(self, db: Database, routing: RoutingService) -> None:
        super().__init__("sweep")
        self._db = db
        self._routing = routing

    @override
    async def _run(self) -> None:
        async with self._db.session() as session:
            while not self._stop.is_set():
                wait_s = await ticket_store.seconds_to_wake(session)
                if wait_s is None or wait_s > 0:
                    await wait_at_most(self._stop.wait(), min(wait_s or _POLL_S, _POLL_S))
                else:
                    await sweep(self._db, self._routing)
