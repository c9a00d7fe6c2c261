"""Sends prepared requests over open connections: at saturation, or at a steady rate."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from lab.bench.measures import pause
from shared.basics.clock import elapsed_s

__all__ = ["Connection", "at_rate", "saturated"]


class Connection[T](Protocol):
    """A connection with one open request at a time."""

    async def send(self, what: T) -> None:
        """Send a request, and return when the answer has come."""


async def saturated[T](connections: Sequence[Connection[T]], wanted: Sequence[T]) -> list[float]:
    """Keep every connection busy; return the milliseconds from each request to its answer."""
    left = iter(wanted)
    took_ms: list[float] = []

    async def work(connection: Connection[T]) -> None:
        for what in left:
            since_s = elapsed_s()
            await connection.send(what)
            took_ms.append(elapsed_s(since_s) * 1000)

    await asyncio.gather(*map(work, connections))
    return took_ms


async def at_rate[T](
    connections: Sequence[Connection[T]], wanted: Sequence[T], rate_hz: float
) -> list[float]:
    """Send at a steady rate, however late the answers are.

    Return the milliseconds from when each request *should* have been sent to its answer, so that
    waiting for a free connection counts.
    """
    due: asyncio.Queue[tuple[T, float]] = asyncio.Queue()
    took_ms: list[float] = []

    async def work(connection: Connection[T]) -> None:
        while True:
            what, due_s = await due.get()
            await connection.send(what)
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
        working = [group.create_task(work(line)) for line in connections]
        group.create_task(send())
    return took_ms
