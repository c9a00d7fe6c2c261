"""Parts that work in the background outlive what goes wrong in them."""

import asyncio
from typing import override

import asyncpg

from shared.platform.background import Background


class Stumbling(Background):
    """Fails at first, as by a statement that nobody foresaw, then works."""

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


async def test_one_failed_statement_ends_no_part() -> None:
    """It runs again, and its task, whose end would end the process, goes on."""
    part = Stumbling()
    await part.start()
    async with asyncio.timeout(10):
        await part.works.wait()
    assert part.task is not None
    assert not part.task.done()
    await part.stop()
    assert part.runs == 2
