"""Business time of a running stack: replaces `premium_now()` in all four databases for a while.

Never used in production. Every step can be repeated, so a caller retries it until an unreachable
server is back.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final

from premium.errors import CommandError
from shared.basics.errors import Transient
from shared.platform.postgres import Database

__all__ = ["BusinessTime"]

_REPLACE: Final = """
CREATE OR REPLACE FUNCTION premium_now() RETURNS timestamptz LANGUAGE sql STABLE
AS $time$SELECT {expression}$time$
"""
_REAL: Final = "now()"
_READ: Final = "SELECT now()"
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('business time'))"
_UNLOCK: Final = "SELECT pg_advisory_unlock(hashtext('business time'))"
_ORDER: Final = ("notifier", "router", "intake", "sla_monitor")
"""Only sla-monitor acts on time alone, so its time changes last."""


class BusinessTime:
    """Sets the time by which promises are judged. ``databases`` connect as owners, by name."""

    def __init__(self, databases: Mapping[str, Database]) -> None:
        self._databases = databases

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Lock business time for the block. Raises CommandError if another command has the lock."""
        async with self._databases[_ORDER[0]].session() as session:
            if not await session.fetchval(_LOCK):
                raise CommandError("another command sets this stack's time: wait until it ends")
            try:
                yield
            finally:
                with suppress(Transient):
                    await session.fetchval(_UNLOCK)

    async def set_expression(self, expression: str) -> None:
        """Define time by an SQL expression of ``now()``. Raises Transient if PostgreSQL is down."""
        for name in _ORDER:
            async with self._databases[name].session() as session:
                await session.execute(_REPLACE.format(expression=expression))

    async def stop_at(self, moment: datetime) -> None:
        """Stop time."""
        await self.set_expression(f"'{moment.isoformat()}'::timestamptz")

    async def run_from(self, moment: datetime, *, since: datetime, speed: float) -> None:
        """Run time ``speed`` times as fast; it is ``moment`` at the real time ``since``."""
        await self.set_expression(
            f"'{moment.isoformat()}'::timestamptz"
            f" + (now() - '{since.isoformat()}'::timestamptz) * {speed!r}"
        )

    async def restore(self) -> None:
        """Set business time back to real time, as in production."""
        await self.set_expression(_REAL)

    async def real_now(self) -> datetime:
        """Return the real time of a database server."""
        async with self._databases[_ORDER[0]].session() as session:
            moment: datetime = await session.fetchval(_READ)
            return moment
