"""Evaluates tickets again after a change of declared exceptions, up to 200 per transaction."""

from typing import Final, override
from uuid import uuid5

import structlog

from shared.basics.clock import wait_at_most
from shared.platform import outbox
from shared.platform.background import Background
from shared.platform.postgres import Database, Tx, now
from sla_monitor.service import ClockService
from sla_monitor.store import reevaluation as reevaluation_store
from sla_monitor.telemetry import REEVALUATED

__all__ = ["CHUNK_MAX", "Reevaluator", "reevaluate"]

_LOG = structlog.get_logger()
CHUNK_MAX: Final = 200
"""Tickets in one transaction, which locks them all and so delays clocks of theirs that are due."""
_POLL_S: Final = 0.25
"""How often to look for a change, which another instance may have saved."""


async def reevaluate(db: Database, clock_service: ClockService, *, limit: int = CHUNK_MAX) -> bool:
    """Evaluate the next tickets of the oldest change; return False if no change is left.

    Each ticket gets a cause id of its own, from which the ids of announced events are derived.
    """
    async with db.transaction() as tx:
        work = await reevaluation_store.claim(tx)
        if work is None:
            return False
        chunk = await reevaluation_store.chunk(tx, work, limit=limit)
        causes = [
            (ticket_id, work.change._replace(id=uuid5(work.change.id, str(ticket_id))))
            for ticket_id in chunk.ticket_ids
        ]
        if causes:
            await clock_service.reevaluate(tx, causes, await now(tx))
        finished = chunk.last is None
        await reevaluation_store.advance(tx, work, chunk, finished=finished)
    REEVALUATED.inc(len(causes))
    if finished:
        _LOG.info("reevaluation_finished", policy_id=work.policy_id, tickets=work.done)
    return True


class Reevaluator(Background):
    """Reevaluates in the background, no faster than the relay publishes the resulting events."""

    def __init__(self, db: Database, clock_service: ClockService) -> None:
        super().__init__("reevaluation")
        self._db = db
        self._clock_service = clock_service

    @override
    async def _run(self) -> None:
        async with self._db.session() as session:
            while not self._stop.is_set():
                if await reevaluation_store.is_pending(session):
                    await self._finish(session)
                await wait_at_most(self._stop.wait(), _POLL_S)

    async def _finish(self, session: Tx) -> None:
        while await outbox.wait_until_short(session, until=self._stop):
            if not await reevaluate(self._db, self._clock_service):
                return
