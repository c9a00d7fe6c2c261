"""Sends prepared requests over open connections: as fast as answers come, or at a steady rate."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from lab.bench.measures import pause
from shared.basics.clock import elapsed_s

__all__ = ["Line", "at_rate", "saturated"]


class Line[T](Protocol):
    """A connection that has one request in hand at a time."""

    async def ask(self, what: T) -> None:
        """Send, and return when the answer is there."""


async def saturated[T](lines: Sequence[Line[T]], wanted: Sequence[T]) -> list[float]:
    """Keep every line busy; milliseconds from sending to the answer come back."""
    left = iter(wanted)
    took_ms: list[float] = []

    async def work(line: Line[T]) -> None:
        for what in left:
            since_s = elapsed_s()
            await line.ask(what)
            took_ms.append(elapsed_s(since_s) * 1000)

    await asyncio.gather(*map(work, lines))
    return took_ms


async def at_rate[T](lines: Sequence[Line[T]], wanted: Sequence[T], rate_hz: float) -> list[float]:
    """Send at a steady rate, whatever comes back.

    Milliseconds count from when each *should* have been sent: who finds no free line has waited.
    """
    due: asyncio.Queue[tuple[T, float]] = asyncio.Queue()
    took_ms: list[float] = []

    async def work(line: Line[T]) -> None:
        while True:
            what, due_s = await due.get()
            await line.ask(what)
            took_ms.append(elapsed_s(due_s) * 1000)
            due.task_done()

    async def send() -> None:
        begin_s = elapsed_s()
        for number, what in enumerate(wanted):
            due_s = begin_s + number / rate_hz
            await pause(due_s - elapsed_s())
            due.put_nowait((what, due_s))
        await due.join()
        for worker in working:
            worker.cancel()

    async with asyncio.TaskGroup() as group:
        working = [group.create_task(work(line)) for line in lines]
        group.create_task(send())
    return took_ms
