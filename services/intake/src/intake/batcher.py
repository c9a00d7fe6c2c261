"""Requests that wait at the same moment share a transaction, as a consumer's batch does.

A transaction costs the same round trips for one as for a hundred. Nobody waits for company: what
came while the last transaction ran is the next one's batch.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, Protocol, override

from shared.basics.errors import Transient
from shared.platform.background import Background
from shared.platform.postgres import Database, Tx

__all__ = ["Sized", "Together"]

_SIZE_MAX: Final = 500


class Sized(Protocol):
    """What is asked; its size says how much work it is."""

    @property
    def size(self) -> int:
        """Records it brings."""


type Take[Asked, Answer] = Callable[[Tx, Sequence[Asked]], Awaitable[Sequence[Answer]]]
"""Handles several in one transaction; answers each in its place."""


class _Waiting[Asked, Answer](NamedTuple):
    asked: Asked
    answer: asyncio.Future[Answer]


class Together[Asked: Sized, Answer](Background):
    """Takes what waits in one transaction; what fails is bisected, as in the consumer."""

    def __init__(self, name: str, db: Database, take: Take[Asked, Answer]) -> None:
        super().__init__(name)
        self._db = db
        self._take = take
        self._waiting: deque[_Waiting[Asked, Answer]] = deque()
        self._woken = asyncio.Event()

    async def ask(self, asked: Asked) -> Answer:
        """Wait for the answer, which is committed then. Raises what stood in its way alone."""
        waiting = _Waiting[Asked, Answer](asked, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._woken.set()
        return await waiting.answer

    @override
    async def stop(self) -> None:
        """Answer who waits, then leave."""
        self._stop.set()
        self._woken.set()
        await super().stop()

    @override
    async def _run(self) -> None:
        while self._waiting or not self._stop.is_set():
            if self._waiting:
                await self._settle(self._next())
            else:
                self._woken.clear()
                await self._woken.wait()

    def _next(self) -> list[_Waiting[Asked, Answer]]:
        """Take from the queue what one transaction bears; who gave up waiting is left out."""
        batch: list[_Waiting[Asked, Answer]] = []
        size = 0
        while self._waiting and (not batch or size + self._waiting[0].asked.size <= _SIZE_MAX):
            waiting = self._waiting.popleft()
            if not waiting.answer.done():
                batch.append(waiting)
                size += waiting.asked.size
        return batch

    async def _settle(self, batch: Sequence[_Waiting[Asked, Answer]]) -> None:
        if not batch:
            return
        try:
            async with self._db.transaction() as tx:
                answers = await self._take(tx, [waiting.asked for waiting in batch])
        except Exception as e:  # noqa: BLE001 - told to whose fault it is
            await self._fail(batch, e)
            return
        for waiting, answer in zip(batch, answers, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer)

    async def _fail(self, batch: Sequence[_Waiting[Asked, Answer]], error: Exception) -> None:
        if len(batch) > 1 and not isinstance(error, Transient):
            middle = len(batch) // 2
            await self._settle(batch[:middle])
            await self._settle(batch[middle:])
            return
        for waiting in batch:
            if not waiting.answer.done():
                waiting.answer.set_exception(error)
