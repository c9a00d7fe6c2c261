"""A part of the lifecycle continues after an error in its background task."""

import asyncio
from typing import override

import asyncpg

from shared.platform.background import Background


class FailingOnce(Background):
    """Fails on the first run with an unexpected error, then works."""

    def __init__(self) -> None:
        super().__init__("stumbling")
        self.runs = 0
        self.works = asyncio.Event()

    @override
    async def _run(self) -> None:
        self.runs += 1
        if self.runs == 1:
            raise asyncpg.UndefinedTableError("relation does not exist")
        self.works.set()
        await self._stop.wait()


async def test_an_unexpected_error_does_not_end_a_part() -> None:
    """After an unexpected error the part runs again, and its task does not end."""
    part = FailingOnce()
    await part.start()
    async with asyncio.timeout(10):
        await part.works.wait()
    assert part.task is not None
    assert not part.task.done()
    await part.stop()
    assert part.runs == 2
