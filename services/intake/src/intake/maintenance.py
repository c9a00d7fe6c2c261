"""Periodic work: decide held requests again."""

import asyncio
from typing import Final, override

from intake import service
from intake.domain import NumberKeys, language
from shared.basics.clock import wait_at_most
from shared.platform import postgres
from shared.platform.background import Background
from shared.platform.postgres import Database

__all__ = ["Maintenance"]

_INTERVAL_S: Final = 1.0


class Maintenance(Background):
    """Every second decides requests of changed accounts again, and rejects those held too long."""

    def __init__(self, db: Database, keys: NumberKeys) -> None:
        super().__init__("maintenance")
        self._db = db
        self._keys = keys

    @override
    async def start(self) -> None:
        """Load the model for language detection, then start."""
        await asyncio.to_thread(language.load)
        await super().start()

    @override
    async def _run(self) -> None:
        while not self._stop.is_set():
            if not await self._run_due_work():
                await wait_at_most(self._stop.wait(), _INTERVAL_S)

    async def _run_due_work(self) -> bool:
        """Do a limited amount of due work; return whether more may be left."""
        async with self._db.transaction() as tx:
            now = await postgres.now(tx)
            if await service.decide_pending(tx, now, self._keys):
                return True
            return await service.reject_overdue(tx, now, self._keys) >= service.DECIDED_MAX
