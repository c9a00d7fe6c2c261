"""The life of a service: parts start in order, a signal ends it, parts drain in reverse.

A part whose background task dies takes the service down with exit 1: a process that half works
is worse than one that its supervisor starts anew.
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
    """Something with a beginning and an end; `stop` drains. `start` may raise Transient."""

    async def start(self) -> None:
        """Begin; the next part starts when this returns."""

    async def stop(self) -> None:
        """Drain and end."""


@runtime_checkable
class Loop(Protocol):
    """A part that works in the background."""

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The work; when it ends, the service does."""


async def run(parts: Sequence[Part]) -> int:
    """Live from the first start to the last stop; the exit code comes back."""
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
        return await _live(parts, waiting)
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


async def _live(parts: Sequence[Part], waiting: asyncio.Task[bool]) -> int:
    tasks = {part.task for part in parts if isinstance(part, Loop) and part.task is not None}
    done, _ = await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    if waiting in done:
        return 0
    for task in done:
        _LOG.error("part_died", part=task.get_name(), exc_info=task.exception())
    return 1


async def _drain(started: Sequence[Part]) -> None:
    """Stop in reverse; one part that hangs or fails must not keep the others from draining."""
    _LOG.info("service_drains")
    deadline = asyncio.get_running_loop().time() + _DRAIN_S_MAX
    for part in reversed(started):
        try:
            async with asyncio.timeout_at(deadline):
                await part.stop()
        except Exception as e:  # noqa: BLE001 - said, and the others go on
            _LOG.error("part_did_not_drain", part=type(part).__name__, reason=repr(e))
    _LOG.info("service_stopped")
