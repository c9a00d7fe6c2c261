"""Business time of a running stack: `premium_now()` of all four databases, replaced for a while.

Production never does this. Every step may be repeated: a server that is away is waited for by
whoever asks, and asks again.
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
_TAKE: Final = "SELECT pg_try_advisory_lock(hashtext('business time'))"
_GIVE: Final = "SELECT pg_advisory_unlock(hashtext('business time'))"
_ORDER: Final = ("notifier", "router", "intake", "sla_monitor")
"""Time alone moves only sla-monitor: it goes last, so that the others are already there."""


class BusinessTime:
    """The time by which promises are judged. ``databases`` are the owners', by name."""

    def __init__(self, databases: Mapping[str, Database]) -> None:
        self._databases = databases

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Keep others from moving time meanwhile. Raises CommandError when somebody moves it."""
        async with self._databases[_ORDER[0]].session() as session:
            if not await session.fetchval(_TAKE):
                raise CommandError("another play moves this stack's time: wait until it has ended")
            try:
                yield
            finally:
                with suppress(Transient):
                    await session.fetchval(_GIVE)

    async def run_by(self, expression: str) -> None:
        """Let time be an SQL expression of ``now()``. Raises Transient while a server is away."""
        for name in _ORDER:
            async with self._databases[name].session() as session:
                await session.execute(_REPLACE.format(expression=expression))

    async def stand_at(self, moment: datetime) -> None:
        """Stop time."""
        await self.run_by(f"'{moment.isoformat()}'::timestamptz")

    async def run_from(self, moment: datetime, *, since: datetime, speed: float) -> None:
        """Let time be ``moment`` at the real instant ``since``, and run ``speed`` times as fast."""
        await self.run_by(
            f"'{moment.isoformat()}'::timestamptz"
            f" + (now() - '{since.isoformat()}'::timestamptz) * {speed!r}"
        )

    async def restore(self) -> None:
        """Let business time be real time again, as it is in production."""
        await self.run_by(_REAL)

    async def real_now(self) -> datetime:
        """Ask a server for the real time."""
        async with self._databases[_ORDER[0]].session() as session:
            moment: datetime = await session.fetchval(_READ)
            return moment
