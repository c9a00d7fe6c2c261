"""Tasks scheduled in business time, and the workers that run them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Final

from shared.basics.clock import wait_at_most

__all__ = ["Schedule", "Task"]

type Task = Callable[[], Awaitable[None]]

_WORKERS: Final = 8
_TICK_S: Final = 0.04
"""Tasks that are due within so much real time start together, so that batches are larger."""


@dataclass(slots=True)
class Schedule:
    """Tasks in order of time. ``seconds_to`` returns the real seconds until a business time."""

    seconds_to: Callable[[datetime], float]
    _plan: list[tuple[datetime, int, Task]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _due: asyncio.Queue[Task] = field(default_factory=asyncio.Queue)
    _running: int = 0

    def add(self, at: datetime, task: Task) -> None:
        """Schedule a task; if its time has passed, it runs at once."""
        heappush(self._plan, (at, next(self._numbers), task))

    def is_done(self) -> bool:
        """Return whether no task is scheduled or running."""
        return not self._plan and not self._running

    def clear(self) -> None:
        """Remove all scheduled tasks."""
        self._plan.clear()

    async def run(self) -> None:
        """Run due tasks until cancelled; if a task fails, all others are cancelled as well."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(_WORKERS):
                workers.create_task(self._work())
            while True:
                self._dispatch()
                await wait_at_most(asyncio.Event().wait(), _TICK_S)

    def _dispatch(self) -> None:
        while self._plan and self.seconds_to(self._plan[0][0]) <= 0:
            _, _, task = heappop(self._plan)
            self._running += 1
            self._due.put_nowait(task)

    async def _work(self) -> None:
        while True:
            task = await self._due.get()
            try:
                await task()
            finally:
                self._running -= 1
