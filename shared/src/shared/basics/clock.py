"""Wait and measure durations. For the time of day, ask PostgreSQL (`postgres.now`)."""

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress

__all__ = ["elapsed_s", "wait_at_most"]


def elapsed_s(since: float = 0.0) -> float:
    """Read the monotonic clock, in seconds; with ``since``, the seconds elapsed since then."""
    return time.monotonic() - since


async def wait_at_most(signal: Awaitable[object], wait_s: float) -> None:
    """Wait for a signal, for at most ``wait_s`` seconds; return in both cases."""
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await signal
