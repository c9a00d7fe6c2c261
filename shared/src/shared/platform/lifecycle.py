"""Runs a service: parts start in order, a signal stops it, parts drain in reverse order.

If the background task of a part ends, the service exits with 1: a supervisor restarts it, which is
better than a process that only half works.
"""

import asyncio
import signal
from collections.abc import Sequence
from typing import Final, Protocol, runtime_checkable

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

from shared.basics.errors import Poison, Transient

__all__ = ["Loop", "Part", "run"]

_LOG = structlog.get_logger()
_START_S_MAX: Final = 60
_DRAIN_S_MAX: Final = 9


class Part(Protocol):
    """A component that starts and stops with the service. `start` may raise Transient."""

    async def start(self) -> None:
        """Start; the next part starts when this returns."""

    async def stop(self) -> None:
        """Finish the work in progress and end."""


@runtime_checkable
class Loop(Protocol):
    """A part with a background task."""

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The task; the service ends when it does."""


async def run(parts: Sequence[Part]) -> int:
    """Start the parts, run until a signal or a failure, stop the parts; return the exit code."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    waiting = asyncio.create_task(stop.wait(), name="signal")
    started: list[Part] = []
    starting = asyncio.create_task(_start(parts, started), name="start")
    try:
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return 0
        await starting
        _LOG.info("service_ready")
        return await _run_until_end(parts, waiting)
    except (Poison, Transient, OSError) as e:
        _LOG.error("start_failed", reason=str(e))
        return 1
    finally:
        waiting.cancel()
        await _drain(started)


async def _start(parts: Sequence[Part], started: list[Part]) -> None:
    for part in parts:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(Transient),
            wait=wait_exponential(multiplier=0.1, max=2),
            stop=stop_after_delay(_START_S_MAX),
            reraise=True,
        ):
            with attempt:
                await part.start()
        started.append(part)


async def _run_until_end(parts: Sequence[Part], waiting: asyncio.Task[bool]) -> int:
    tasks = {part.task for part in parts if isinstance(part, Loop) and part.task is not None}
    done, _ = await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    if waiting in done:
        return 0
    for task in done:
        _LOG.error("part_died", part=task.get_name(), exc_info=task.exception())
    return 1


async def _drain(started: Sequence[Part]) -> None:
    """Stop the parts in reverse order; one that hangs or fails does not prevent the others."""
    _LOG.info("service_drains")
    deadline = asyncio.get_running_loop().time() + _DRAIN_S_MAX
    for part in reversed(started):
        try:
            async with asyncio.timeout_at(deadline):
                await part.stop()
        except Exception as e:  # noqa: BLE001 - logged, and the others are stopped
            _LOG.error("part_did_not_drain", part=type(part).__name__, reason=repr(e))
    _LOG.info("service_stopped")
