"""Waits for servers that are away, within bounds: what is asked may be asked again."""

from collections.abc import Awaitable, Callable
from typing import Final

from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from shared.basics.errors import Transient

__all__ = ["patiently"]

_PATIENCE_S: Final = 180


async def patiently[T](ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the answer is not Transient; raises the last one after three minutes."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(Transient),
        wait=wait_random_exponential(multiplier=0.05, max=1),
        stop=stop_after_delay(_PATIENCE_S),
        reraise=True,
    ):
        with attempt:
            return await ask()
    raise AssertionError
