"""Authenticates API keys from a cache, applies each key's rate limit, and records its last use."""

from collections.abc import Callable
from typing import Final, NamedTuple, override

from shared.basics.clock import elapsed_s, wait_at_most
from shared.basics.errors import Transient
from shared.platform.access import store
from shared.platform.access.key_cache import KeyCache, Recent
from shared.platform.access.keys import Key
from shared.platform.access.limits import Bucket, Draw
from shared.platform.api_keys import ApiKey
from shared.platform.background import Background
from shared.platform.postgres import Database

__all__ = ["Admission", "Authenticator"]

_NOTE_EVERY_S: Final = 60


class Admission(NamedTuple):
    """The caller's key, and the result of its rate limit."""

    key: Key
    draw: Draw


class Authenticator(Background):
    """Authenticates keys, and stores in the background which were used.

    ``clock`` is monotonic and returns seconds.
    """

    def __init__(self, db: Database, clock: Callable[[], float] = elapsed_s) -> None:
        super().__init__("key use")
        self._db = db
        self._clock = clock
        self._keys = KeyCache(self._ask, clock)
        self._buckets: Recent[Bucket] = Recent()
        self._used: set[str] = set()

    async def authenticate(self, presented: ApiKey) -> Admission | None:
        """Find a key, and count a request against its rate limit; None if it is not in force.

        Raises:
            Transient: the key cannot be looked up now.
        """
        key = await self._keys.find(presented.prefix)
        if key is None or not key.matches(presented):
            return None
        self._used.add(key.prefix)
        return Admission(key, self._bucket(key).draw(self._clock()))

    def _bucket(self, key: Key) -> Bucket:
        bucket = self._buckets.get(key.prefix)
        if bucket is None or bucket.rate != key.rate:
            bucket = Bucket.full(key.rate, self._clock())
        return self._buckets.put(key.prefix, bucket)

    async def _ask(self, prefix: str) -> Key | None:
        async with self._db.transaction() as tx:
            return await store.key_in_force(tx, prefix)

    @override
    async def _run(self) -> None:
        while not self._stop.is_set():
            await wait_at_most(self._stop.wait(), _NOTE_EVERY_S)
            await self.note()

    async def note(self) -> None:
        """Store which keys were used; while the database is unavailable, keep that in memory."""
        used, self._used = self._used, set()
        try:
            if used:
                async with self._db.transaction() as tx:
                    await store.note_use(tx, used)
        except Transient:
            self._used |= used
