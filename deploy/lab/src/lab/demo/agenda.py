"""What is to happen when, in business time, and a few hands that do it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from itertools import count
from typing import Final

from shared.basics.clock import wait_at_most

__all__ = ["Agenda", "Task"]

type Task = Callable[[], Awaitable[None]]

_HANDS: Final = 8
_TICK_S: Final = 0.04
"""What falls due within so much real time goes out together: small batches cost far less."""


@dataclass(slots=True)
class Agenda:
    """Tasks in the order of their moments. ``seconds_to`` says how far off a moment is, in life."""

    seconds_to: Callable[[datetime], float]
    _plan: list[tuple[datetime, int, Task]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _due: asyncio.Queue[Task] = field(default_factory=asyncio.Queue)
    _in_hand: int = 0

    def add(self, at: datetime, task: Task) -> None:
        """Plan a task; one whose moment has passed is done at once."""
        heappush(self._plan, (at, next(self._numbers), task))

    def is_done(self) -> bool:
        """Tell whether nothing is planned and nothing is being done."""
        return not self._plan and not self._in_hand

    def clear(self) -> None:
        """Forget what is planned."""
        self._plan.clear()

    async def run(self) -> None:
        """Do what falls due, until cancelled; a task that fails ends it all."""
        async with asyncio.TaskGroup() as hands:
            for _ in range(_HANDS):
                hands.create_task(self._work())
            while True:
                self._hand_out()
                await wait_at_most(asyncio.Event().wait(), _TICK_S)

    def _hand_out(self) -> None:
        while self._plan and self.seconds_to(self._plan[0][0]) <= 0:
            _, _, task = heappop(self._plan)
            self._in_hand += 1
            self._due.put_nowait(task)

    async def _work(self) -> None:
        while True:
            task = await self._due.get()
            try:
                await task()
            finally:
                self._in_hand -= 1
