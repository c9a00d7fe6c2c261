"""A part of the lifecycle that works in the background until it is told to stop."""

import asyncio
from abc import ABC, abstractmethod
from typing import Final

import structlog

from shared.basics.clock import wait_at_most
from shared.basics.errors import Transient
from shared.platform import telemetry

__all__ = ["Background"]

_LOG: Final = structlog.get_logger()
_AGAIN_S: Final = 1.0
_AWAY_S: Final = 0.5


class Background(ABC):
    """Runs `_run`, which leaves when `_stop` is set; the lifecycle watches its task.

    While a server is away (`Transient`), `_run` is run again every half second. What it did not
    foresee is logged and counted, and it runs again, too: it keeps nothing that a rollback does
    not undo, and a failed statement of one part is no reason for the others to end.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._live(), name=self._name)

    async def stop(self) -> None:
        """Let it finish what is in hand."""
        self._stop.set()
        if self._task is not None:
            await self._task

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The background task, watched by the lifecycle."""
        return self._task

    async def _live(self) -> None:
        while True:
            try:
                return await self._run()
            except Transient as e:
                _LOG.warning("part_waits", part=self._name, reason=str(e))
                await wait_at_most(self._stop.wait(), _AWAY_S)
            except Exception as e:  # noqa: BLE001 - said, and tried again
                telemetry.PART_FAILURES.labels(self._name).inc()
                _LOG.error("part_failed", part=self._name, exc_info=e)
                await wait_at_most(self._stop.wait(), _AGAIN_S)

    @abstractmethod
    async def _run(self) -> None:
        """Work until `_stop` is set."""
