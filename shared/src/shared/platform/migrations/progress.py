"""Reports the progress of a migration every few seconds: index phase, or blocking sessions."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncpg

from shared.basics.clock import elapsed_s, wait_at_most
from shared.platform.postgres import UNAVAILABLE

__all__ = ["watched"]

_EVERY_S: Final = 3

PROGRESS: Final = """
    SELECT (SELECT string_agg(format('%s (process %s)', application_name, pid), ', ')
            FROM pg_stat_activity WHERE pid = ANY (pg_blocking_pids($1))) AS blockers,
           (SELECT format('%s, %s %%', phase, 100 * blocks_done / greatest(blocks_total, 1))
            FROM pg_stat_progress_create_index WHERE pid = $1) AS phase
"""


@asynccontextmanager
async def watched(dsn: str, pid: int, report: Callable[[str], None]) -> AsyncIterator[None]:
    """Report what a server process does, while the block runs."""
    done = asyncio.Event()
    watching = asyncio.create_task(_watch(dsn, pid, report, done), name="progress")
    try:
        yield
    finally:
        done.set()
        await watching


async def _watch(dsn: str, pid: int, report: Callable[[str], None], done: asyncio.Event) -> None:
    began = elapsed_s()
    await wait_at_most(done.wait(), _EVERY_S)
    while not done.is_set():
        report(f"    {elapsed_s(began):.0f} s{await _doing(dsn, pid)}")
        await wait_at_most(done.wait(), _EVERY_S)


async def _doing(dsn: str, pid: int) -> str:
    """Describe what a server process does or waits for; "" if that is unknown."""
    with suppress(*UNAVAILABLE):
        connection = await asyncpg.connect(dsn, timeout=_EVERY_S, command_timeout=_EVERY_S)
        try:
            row = await connection.fetchrow(PROGRESS, pid)
        finally:
            connection.terminate()
        if row["blockers"] is not None:
            return f": waits for {row['blockers']}"
        if row["phase"] is not None:
            return f": {row['phase']}"
    return ""
