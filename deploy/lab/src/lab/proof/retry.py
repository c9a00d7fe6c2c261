"""Retries work while a server is unreachable; the work must be repeatable."""

from collections.abc import Awaitable, Callable
from typing import Final

from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from shared.basics.errors import Transient

__all__ = ["with_retry"]

_RETRY_S_MAX: Final = 180


async def with_retry[T](work: Callable[[], Awaitable[T]]) -> T:
    """Retry while the work raises Transient; after three minutes raise the last Transient."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(Transient),
        wait=wait_random_exponential(multiplier=0.05, max=1),
        stop=stop_after_delay(_RETRY_S_MAX),
        reraise=True,
    ):
        with attempt:
            return await work()
    raise AssertionError
