"""A part of the lifecycle that works in the background until it is told to stop."""

import asyncio
from abc import ABC, abstractmethod

__all__ = ["Background"]


class Background(ABC):
    """Runs `_run`, which leaves when `_stop` is set; the lifecycle watches its task."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Let it finish what is in hand."""
        self._stop.set()
        if self._task is not None:
            await self._task

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The background task, watched by the lifecycle."""
        return self._task

    @abstractmethod
    async def _run(self) -> None:
        """Work until `_stop` is set."""
