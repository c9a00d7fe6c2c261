"""Watches how much memory the services of a stack take, through restarts."""

import asyncio
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import psutil

from devstack.processes import find
from lab.replay.report import Memory
from premium.profile import SERVICES
from shared.basics.clock import wait_at_most

__all__ = ["MemoryWatch"]

_EVERY_S: Final = 2.0
_MIB: Final = 1024 * 1024


class MemoryWatch:
    """Samples while its block lasts. ``run`` is the folder where the stack keeps its processes."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._samples: defaultdict[str, list[float]] = defaultdict(list)
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin."""
        self._task = asyncio.create_task(self._watch(), name="memory watch")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End, with a last sample."""
        self._over.set()
        if self._task is not None:
            await self._task

    @property
    def found(self) -> dict[str, Memory]:
        """What was seen so far, a service."""
        return {
            name: Memory(max_mib=max(samples), samples_mib=samples)
            for name, samples in self._samples.items()
        }

    async def _watch(self) -> None:
        while not self._over.is_set():
            self._look()
            await wait_at_most(self._over.wait(), _EVERY_S)
        self._look()

    def _look(self) -> None:
        for name in SERVICES:
            with suppress(psutil.NoSuchProcess):
                running = find(self._run, name)
                if running is not None:
                    bytes_held = psutil.Process(running.pid).memory_info().rss
                    self._samples[name].append(round(bytes_held / _MIB, 1))
