"""The keys that were asked for lately, known for a second at most."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from shared.basics.errors import Transient
from shared.platform.access.keys import Key
from shared.platform.access.limits import Bucket, Rate

__all__ = ["KeyCache", "Recent"]

AGE_S_MAX: Final = 1.0
"""For so long a revoked key may still count."""
_AHEAD_S: Final = AGE_S_MAX / 2
_KEYS_MAX: Final = 10_000
_STRANGERS: Final = Rate(per_s=50, burst=100)

type Ask = Callable[[str], Awaitable[Key | None]]
"""Reads the key of a prefix where it is kept. May raise Transient."""


class Recent[V](OrderedDict[str, V]):
    """What was put in lately: past so many, the one put in first is dropped."""

    def put(self, name: str, value: V, *, count_max: int = _KEYS_MAX) -> V:
        """Remember; ``value`` comes back."""
        self[name] = value
        self.move_to_end(name)
        if len(self) > count_max:
            self.popitem(last=False)
        return value


class _Known(NamedTuple):
    key: Key | None
    since_s: float


class KeyCache:
    """Answers from memory, and asks ahead, so that a key in steady use never waits for the store.

    Prefixes that nobody knows are asked for at a bounded pace: whoever tries keys out, at whatever
    speed, costs the database no more than that. Keys in use are not held up by it.
    """

    def __init__(self, ask: Ask, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._known: Recent[_Known] = Recent()
        self._strange: Recent[_Known] = Recent()
        self._asking: dict[str, asyncio.Task[Key | None]] = {}
        self._strangers = Bucket.full(_STRANGERS, clock())

    async def find(self, prefix: str) -> Key | None:
        """Find the key in force that has this prefix.

        Raises Transient when the store is away, or too many unknown keys are being tried.
        """
        found = self._known.get(prefix) or self._strange.get(prefix)
        age_s = AGE_S_MAX if found is None else self._clock() - found.since_s
        if found is not None and age_s < AGE_S_MAX:
            if found.key is not None and age_s >= _AHEAD_S:
                self._begin(prefix)
            return found.key
        if prefix not in self._known and prefix not in self._asking:
            self._admit_stranger()
        self._begin(prefix)
        return await asyncio.shield(self._asking[prefix])

    def _admit_stranger(self) -> None:
        if not self._strangers.draw(self._clock()).allowed:
            raise Transient("too many unknown keys are being tried")

    def _begin(self, prefix: str) -> None:
        """Ask the store, once for all who wait for the same key."""
        if prefix not in self._asking:
            task = asyncio.create_task(self._learn(prefix), name="key lookup")
            task.add_done_callback(_heard)
            self._asking[prefix] = task

    async def _learn(self, prefix: str) -> Key | None:
        since_s = self._clock()
        try:
            key = await self._ask(prefix)
        finally:
            del self._asking[prefix]
        self._known.pop(prefix, None)
        self._strange.pop(prefix, None)
        (self._strange if key is None else self._known).put(prefix, _Known(key, since_s))
        return key


def _heard(task: asyncio.Task[Key | None]) -> None:
    """Whoever waits has the failure; when nobody does, the next request asks again."""
    if not task.cancelled():
        task.exception()
