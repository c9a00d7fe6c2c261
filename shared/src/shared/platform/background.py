"""A part of the service with a background task, which runs until the service stops."""

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
    """Runs `_run`, which returns when `_stop` is set; the lifecycle watches its task.

    On `Transient`, `_run` is started again after half a second. Any other exception is logged and
    counted, and `_run` is started again after a second. This is safe because `_run` keeps no state
    that a rollback does not undo, and a failure of one part must not end the others.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the background task."""
        self._task = asyncio.create_task(self._run_and_restart(), name=self._name)

    async def stop(self) -> None:
        """Signal the end and wait until the work in progress is finished."""
        self._stop.set()
        if self._task is not None:
            await self._task

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The background task, watched by the lifecycle."""
        return self._task

    async def _run_and_restart(self) -> None:
        while True:
            try:
                return await self._run()
            except Transient as e:
                _LOG.warning("part_waits", part=self._name, reason=str(e))
                await wait_at_most(self._stop.wait(), _AWAY_S)
            except Exception as e:  # noqa: BLE001 - logged, and retried
                telemetry.PART_FAILURES.labels(self._name).inc()
                _LOG.error("part_failed", part=self._name, exc_info=e)
                await wait_at_most(self._stop.wait(), _AGAIN_S)

    @abstractmethod
    async def _run(self) -> None:
        """Work until `_stop` is set."""
