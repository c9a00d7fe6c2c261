"""A cache of API keys. An entry is valid for at most a second."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from shared.basics.errors import Transient
from shared.platform.access.keys import Key
from shared.platform.access.limits import Bucket, Rate

__all__ = ["KeyCache", "Recent"]

AGE_S_MAX: Final = 1.0
"""A revoked key may stay valid for this long."""
_AHEAD_S: Final = AGE_S_MAX / 2
_KEYS_MAX: Final = 10_000
_UNKNOWN_RATE: Final = Rate(per_s=50, burst=100)

type Ask = Callable[[str], Awaitable[Key | None]]
"""Reads the key with a prefix from the database. May raise Transient."""


class Recent[V](OrderedDict[str, V]):
    """The most recently added values. Beyond ``count_max`` the oldest is dropped."""

    def put(self, name: str, value: V, *, count_max: int = _KEYS_MAX) -> V:
        """Add a value and return it."""
        self[name] = value
        self.move_to_end(name)
        if len(self) > count_max:
            self.popitem(last=False)
        return value


class _Known(NamedTuple):
    key: Key | None
    since_s: float


class KeyCache:
    """Caches keys; refreshes a used one in advance, so a busy key never waits for the database.

    Lookups of unknown prefixes are rate-limited: an attacker who tries out keys cannot overload
    the database or delay keys in use.
    """

    def __init__(self, ask: Ask, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._known: Recent[_Known] = Recent()
        self._unknown: Recent[_Known] = Recent()
        self._asking: dict[str, asyncio.Task[Key | None]] = {}
        self._unknown_bucket = Bucket.full(_UNKNOWN_RATE, clock())

    async def find(self, prefix: str) -> Key | None:
        """Find the key in force with this prefix.

        Raises:
            Transient: the database is unavailable, or too many unknown keys are being tried.
        """
        found = self._known.get(prefix) or self._unknown.get(prefix)
        age_s = AGE_S_MAX if found is None else self._clock() - found.since_s
        if found is not None and age_s < AGE_S_MAX:
            if found.key is not None and age_s >= _AHEAD_S:
                self._begin(prefix)
            return found.key
        if prefix not in self._known and prefix not in self._asking:
            self._limit_unknown()
        self._begin(prefix)
        return await asyncio.shield(self._asking[prefix])

    def _limit_unknown(self) -> None:
        if not self._unknown_bucket.draw(self._clock()).allowed:
            raise Transient("too many unknown keys are being tried")

    def _begin(self, prefix: str) -> None:
        """Start a lookup, shared by all requests that wait for the same key."""
        if prefix not in self._asking:
            task = asyncio.create_task(self._look_up(prefix), name="key lookup")
            task.add_done_callback(_retrieve_error)
            self._asking[prefix] = task

    async def _look_up(self, prefix: str) -> Key | None:
        since_s = self._clock()
        try:
            key = await self._ask(prefix)
        finally:
            del self._asking[prefix]
        self._known.pop(prefix, None)
        self._unknown.pop(prefix, None)
        (self._unknown if key is None else self._known).put(prefix, _Known(key, since_s))
        return key


def _retrieve_error(task: asyncio.Task[Key | None]) -> None:
    """Ignore a failure that no request waits for: the next request looks the key up again."""
    if not task.cancelled():
        task.exception()
