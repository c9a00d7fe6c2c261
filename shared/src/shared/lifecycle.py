"""The life of a service: parts start in order, a signal ends it, parts drain in reverse.

A part whose background task dies takes the service down with exit 1: a process that half works
is worse than one that its supervisor starts anew.
"""

import asyncio
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final, Protocol, runtime_checkable

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

from shared.errors import Transient

__all__ = ["Loop", "Part", "run"]

_LOG = structlog.get_logger()
_START_S_MAX: Final = 60
_DRAIN_S_MAX: Final = 9


class Part(Protocol):
    """Something with a beginning and an end; `stop` drains. `start` may raise Transient."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@runtime_checkable
class Loop(Protocol):
    """A part that works in the background."""

    @property
    def task(self) -> asyncio.Task[None] | None: ...


async def run(parts: Sequence[Part]) -> int:
    """Live from the first start to the last stop; the exit code comes back."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    waiting = asyncio.create_task(stop.wait())
    code = 0
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.TaskGroup() as group:
                starting = group.create_task(_start(parts, stack))
                await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
                if not starting.done():
                    starting.cancel()
        except* Transient as e:
            _LOG.error("start_failed", reason=str(e.exceptions[0]))
            return 1
        if not stop.is_set():
            _LOG.info("service_ready")
            code = await _live(parts, waiting)
        _LOG.info("service_drains")
    waiting.cancel()
    _LOG.info("service_stopped")
    return code


async def _start(parts: Sequence[Part], stack: AsyncExitStack) -> None:
    for part in parts:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(Transient),
            wait=wait_exponential(multiplier=0.1, max=2),
            stop=stop_after_delay(_START_S_MAX),
            reraise=True,
        ):
            with attempt:
                await part.start()
        stack.push_async_callback(_stop, part)


async def _live(parts: Sequence[Part], waiting: asyncio.Task[bool]) -> int:
    tasks = {part.task for part in parts if isinstance(part, Loop) and part.task is not None}
    done, _ = await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    if waiting in done:
        return 0
    for task in done:
        _LOG.error("part_died", part=task.get_name(), exc_info=task.exception())
    return 1


async def _stop(part: Part) -> None:
    """Stop one part; one that hangs or fails must not keep the others from draining."""
    try:
        async with asyncio.timeout(_DRAIN_S_MAX):
            await part.stop()
    except Exception as e:  # noqa: BLE001 - said, and the others go on
        _LOG.error("part_did_not_drain", part=type(part).__name__, reason=f"{e!r}")
