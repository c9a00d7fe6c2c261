"""The key cache: a second old at most, refreshed early, and limited load on the database."""

import asyncio
from contextlib import suppress

import pytest

from shared.basics.errors import Transient
from shared.platform.access.key_cache import KeyCache
from shared.platform.access.keys import Key
from shared.platform.access.limits import Rate

KEY = Key("known", b"", "northwind", "form", frozenset(), frozenset(), Rate(1, 1))


class ManualClock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Return the time, in seconds."""
        return self.now_s


class KeyStore:
    """A key database: counts lookups, and can be unavailable."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {"known": KEY}
        self.asked: list[str] = []
        self.away = False

    async def __call__(self, prefix: str) -> Key | None:
        """Look a key up."""
        self.asked.append(prefix)
        if self.away:
            raise Transient("away")
        return self.keys.get(prefix)


@pytest.fixture
def clock() -> ManualClock:
    """Make a clock that does not advance by itself."""
    return ManualClock()


@pytest.fixture
def store() -> KeyStore:
    """Make a store with one key."""
    return KeyStore()


@pytest.fixture
async def cache(clock: ManualClock, store: KeyStore) -> KeyCache:
    """Make an empty cache."""
    return KeyCache(store, clock)


async def rest() -> None:
    """Run background tasks to their end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


async def test_concurrent_requests_share_one_lookup(cache: KeyCache, store: KeyStore) -> None:
    """Concurrent requests share one lookup."""
    found = await asyncio.gather(*(cache.find("known") for _ in range(10)))
    assert found == [KEY] * 10
    assert await cache.find("known") == KEY
    assert store.asked == ["known"]


async def test_a_revoked_key_is_valid_for_less_than_a_second(
    cache: KeyCache, store: KeyStore, clock: ManualClock
) -> None:
    """Measured from before the lookup."""
    await cache.find("known")
    del store.keys["known"]
    clock.now_s += 0.4
    assert await cache.find("known") == KEY
    clock.now_s += 0.6
    assert await cache.find("known") is None


async def test_a_key_in_use_is_refreshed_early(
    cache: KeyCache, store: KeyStore, clock: ManualClock
) -> None:
    """No request waits for the refresh: the next one gets its result."""
    await cache.find("known")
    clock.now_s += 0.6
    await cache.find("known")
    await rest()
    store.away = True
    clock.now_s += 0.4
    assert await cache.find("known") == KEY
    assert store.asked == ["known", "known"]


async def test_a_key_expires_while_the_database_is_unavailable(
    cache: KeyCache, store: KeyStore, clock: ManualClock
) -> None:
    """While the database is unavailable, a cached key expires as usual."""
    await cache.find("known")
    store.away = True
    clock.now_s += 0.6
    assert await cache.find("known") == KEY
    await rest()
    clock.now_s += 0.4
    with pytest.raises(Transient):
        await cache.find("known")
    store.away = False
    assert await cache.find("known") == KEY


async def test_lookups_of_unknown_keys_are_limited(
    cache: KeyCache, store: KeyStore, clock: ManualClock
) -> None:
    """A thousand in a second cause a hundred and fifty lookups; known keys still work."""
    await cache.find("known")
    for number in range(1000):
        clock.now_s += 0.001
        with suppress(Transient):
            assert await cache.find(f"strange-{number}") is None
    assert 140 < len(store.asked) < 160
    assert await cache.find("known") == KEY


async def test_an_unknown_key_is_looked_up_once_a_second(
    cache: KeyCache, store: KeyStore, clock: ManualClock
) -> None:
    """Once the key is created, it is valid within a second."""
    for _ in range(10):
        assert await cache.find("new") is None
    assert store.asked == ["new"]
    store.keys["new"] = KEY
    clock.now_s += 1.0
    assert await cache.find("new") == KEY
