"""Keys in memory: a second old at most, seldom waited for, and no load for the database."""

import asyncio
from contextlib import suppress

import pytest

from shared.basics.errors import Transient
from shared.platform.access.key_cache import KeyCache
from shared.platform.access.keys import Key
from shared.platform.access.limits import Rate

KEY = Key("known", b"", "northwind", "form", frozenset(), frozenset(), Rate(1, 1))


class Hand:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


class Shelf:
    """Where keys are kept: counts who asks, and can be away."""

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
def hand() -> Hand:
    """Stand still until turned."""
    return Hand()


@pytest.fixture
def shelf() -> Shelf:
    """Keep one key."""
    return Shelf()


@pytest.fixture
async def ring(hand: Hand, shelf: Shelf) -> KeyCache:
    """Know nothing yet."""
    return KeyCache(shelf, hand)


async def rest() -> None:
    """Let what runs in the background run."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


async def test_a_key_is_asked_for_once(ring: KeyCache, shelf: Shelf) -> None:
    """Also by many who come at once."""
    found = await asyncio.gather(*(ring.find("known") for _ in range(10)))
    assert found == [KEY] * 10
    assert await ring.find("known") == KEY
    assert shelf.asked == ["known"]


async def test_a_revoked_key_counts_for_less_than_a_second(
    ring: KeyCache, shelf: Shelf, hand: Hand
) -> None:
    """Counted from before it was asked for."""
    await ring.find("known")
    del shelf.keys["known"]
    hand.now_s += 0.4
    assert await ring.find("known") == KEY
    hand.now_s += 0.6
    assert await ring.find("known") is None


async def test_a_key_in_use_is_asked_for_ahead(ring: KeyCache, shelf: Shelf, hand: Hand) -> None:
    """Nobody waits for the answer: who asks next finds it."""
    await ring.find("known")
    hand.now_s += 0.6
    await ring.find("known")
    await rest()
    shelf.away = True
    hand.now_s += 0.4
    assert await ring.find("known") == KEY
    assert shelf.asked == ["known", "known"]


async def test_a_key_that_cannot_be_asked_for_does_not_count_longer(
    ring: KeyCache, shelf: Shelf, hand: Hand
) -> None:
    """Whoever cuts intake off from its database keeps no revoked key alive by it."""
    await ring.find("known")
    shelf.away = True
    hand.now_s += 0.6
    assert await ring.find("known") == KEY
    await rest()
    hand.now_s += 0.4
    with pytest.raises(Transient):
        await ring.find("known")
    shelf.away = False
    assert await ring.find("known") == KEY


async def test_unknown_keys_cost_the_database_little(
    ring: KeyCache, shelf: Shelf, hand: Hand
) -> None:
    """A thousand of them in a second are a hundred and fifty lookups; known keys go on."""
    await ring.find("known")
    for number in range(1000):
        hand.now_s += 0.001
        with suppress(Transient):
            assert await ring.find(f"strange-{number}") is None
    assert 140 < len(shelf.asked) < 160
    assert await ring.find("known") == KEY


async def test_the_same_unknown_key_is_asked_for_once_a_second(
    ring: KeyCache, shelf: Shelf, hand: Hand
) -> None:
    """And once it is made, it counts a second later."""
    for _ in range(10):
        assert await ring.find("new") is None
    assert shelf.asked == ["new"]
    shelf.keys["new"] = KEY
    hand.now_s += 1.0
    assert await ring.find("new") == KEY
