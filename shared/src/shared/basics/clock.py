"""Waiting and measuring. What time it *is* comes from PostgreSQL (`postgres.now`)."""

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress

__all__ = ["elapsed_s", "wait_at_most"]


def elapsed_s(since: float = 0.0) -> float:
    """Read a clock that never steps, in seconds; with ``since``, the time passed from there."""
    return time.monotonic() - since


async def wait_at_most(signal: Awaitable[object], wait_s: float) -> None:
    """Wait for a signal, but not longer than ``wait_s``."""
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await signal
