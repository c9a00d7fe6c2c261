"""What intake does by itself: it judges held requests again, and forgets old answers."""

import asyncio
from datetime import timedelta
from typing import Final, override

from intake import idempotency, service
from intake.domain import NumberKeys, language
from shared.basics.clock import elapsed_s, wait_at_most
from shared.platform import postgres
from shared.platform.background import Background
from shared.platform.postgres import Database

__all__ = ["Keeper"]

_LOOK_S: Final = 1.0
_FORGET_S: Final = timedelta(hours=1).total_seconds()


class Keeper(Background):
    """Looks once a second whether somebody has been held for long enough."""

    def __init__(self, db: Database, keys: NumberKeys) -> None:
        super().__init__("keeper")
        self._db = db
        self._keys = keys
        self._forgot_at = elapsed_s() - _FORGET_S

    @override
    async def start(self) -> None:
        """Read the model of languages, then start looking."""
        await asyncio.to_thread(language.load)
        await super().start()

    @override
    async def _run(self) -> None:
        while not self._stop.is_set():
            if not await self._look():
                await wait_at_most(self._stop.wait(), _LOOK_S)

    async def _look(self) -> bool:
        """Do some of what is to be done; whether more may be left."""
        async with self._db.transaction() as tx:
            if elapsed_s(self._forgot_at) >= _FORGET_S:
                await idempotency.forget_answers(tx)
                self._forgot_at = elapsed_s()
            now = await postgres.now(tx)
            if await service.judge_waiting(tx, now, self._keys):
                return True
            return await service.reject_overdue(tx, now, self._keys) >= service.JUDGED_MAX
