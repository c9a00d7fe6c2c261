"""A stack of the bench's own, of which nothing is left."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from premium.console import Shown
from premium.stack import SERVICES, Stack

__all__ = ["own_stack"]


@asynccontextmanager
async def own_stack(shown: Shown, services: Iterable[str] = SERVICES) -> AsyncIterator[Stack]:
    """Start the servers and these services, with fresh data."""
    with tempfile.TemporaryDirectory(prefix="premium-bench-") as home:
        stack = Stack(Path(home), report=shown)
        try:
            await stack.up(services)
            yield stack
        finally:
            await asyncio.shield(stack.down(wipe=True))
