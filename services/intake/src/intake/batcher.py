"""Handles concurrent requests together, in one transaction a batch.

A transaction needs the same round trips for one request as for a hundred. The batcher does not
wait for a batch to fill: the requests that arrive during one transaction are the next batch.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, Protocol, override

from shared.basics.errors import Transient
from shared.platform.background import Background
from shared.platform.postgres import Database, Tx

__all__ = ["Batcher", "Sized"]

_SIZE_MAX: Final = 500


class Sized(Protocol):
    """A request with a size, by which batches are limited."""

    @property
    def size(self) -> int:
        """How many records it contains."""


type HandleBatch[Request, Result] = Callable[[Tx, Sequence[Request]], Awaitable[Sequence[Result]]]
"""Handles requests in one transaction; returns a result for each, in the same order."""


class _Waiting[Request, Result](NamedTuple):
    request: Request
    result: asyncio.Future[Result]


class Batcher[Request: Sized, Result](Background):
    """Handles waiting requests in one transaction; halves a failed batch to isolate the fault."""

    def __init__(self, name: str, db: Database, handle: HandleBatch[Request, Result]) -> None:
        super().__init__(name)
        self._db = db
        self._handle = handle
        self._waiting: deque[_Waiting[Request, Result]] = deque()
        self._woken = asyncio.Event()

    async def submit(self, request: Request) -> Result:
        """Return the result of a request, after the commit.

        Raises:
            Transient: The batch failed because a server is unavailable.
            Exception: Whatever the handler raised for this request alone.
        """
        waiting = _Waiting[Request, Result](request, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._woken.set()
        return await waiting.result

    @override
    async def stop(self) -> None:
        """Handle all waiting requests, then stop."""
        self._stop.set()
        self._woken.set()
        await super().stop()

    @override
    async def _run(self) -> None:
        while self._waiting or not self._stop.is_set():
            if self._waiting:
                await self._handle_batch(self._next_batch())
            else:
                self._woken.clear()
                await self._woken.wait()

    def _next_batch(self) -> list[_Waiting[Request, Result]]:
        """Take requests off the queue up to the size limit; drop those that were cancelled."""
        batch: list[_Waiting[Request, Result]] = []
        size = 0
        while self._waiting and (not batch or size + self._waiting[0].request.size <= _SIZE_MAX):
            waiting = self._waiting.popleft()
            if not waiting.result.done():
                batch.append(waiting)
                size += waiting.request.size
        return batch

    async def _handle_batch(self, batch: Sequence[_Waiting[Request, Result]]) -> None:
        if not batch:
            return
        try:
            async with self._db.transaction() as tx:
                results = await self._handle(tx, [waiting.request for waiting in batch])
        except Exception as e:  # noqa: BLE001 - raised again in `submit`
            await self._fail(batch, e)
            return
        for waiting, result in zip(batch, results, strict=True):
            if not waiting.result.done():
                waiting.result.set_result(result)

    async def _fail(self, batch: Sequence[_Waiting[Request, Result]], error: Exception) -> None:
        if len(batch) > 1 and not isinstance(error, Transient):
            middle = len(batch) // 2
            await self._handle_batch(batch[:middle])
            await self._handle_batch(batch[middle:])
            return
        for waiting in batch:
            if not waiting.result.done():
                waiting.result.set_exception(error)
