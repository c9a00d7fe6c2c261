"""Redrive: a dead letter goes back where it came from, byte for byte, and only once."""

from collections.abc import AsyncIterator

import pytest

from premium.redrive import redriven
from shared.basics.errors import Poison
from shared.events.codec import Header, Record
from shared.platform import dead_letters, outbox
from shared.platform.postgres import Database
from shared.testing.databases import MakeDatabase

ODD: list[Header] = [("x", None), ("x", b"\xff"), ("dl-topic", b"the sender's own"), ("ü", b"\0")]
RECORDS = (
    Record("inbound.v1", 0, 1, b"k", b"{", ODD),
    Record("inbound.v1", 3, 2, None, None, []),
)
SENT = "SELECT topic, key, value, headers FROM outbox ORDER BY id"


@pytest.fixture
async def db(database: MakeDatabase) -> AsyncIterator[Database]:
    """Give a database in which two records lie aside."""
    db = Database((await database("intake")).dsn, service="test")
    await db.start()
    async with db.transaction() as tx:
        for record in RECORDS:
            why = Poison("bad_json", "not \0 JSON")
            await dead_letters.park(tx, record, why, service="intake", attempts=1)
        await tx.execute("DELETE FROM outbox")
    yield db
    await db.stop()


async def sent(db: Database) -> list[Record]:
    """Read what will be published."""
    async with db.session() as session:
        rows = await session.fetch(SENT)
    return [
        Record(row["topic"], 0, 0, row["key"], row["value"], outbox.unpacked(row["headers"]))
        for row in rows
    ]


async def test_a_dead_letter_goes_back_once(db: Database) -> None:
    """Odd headers and all; a second redrive finds nothing new."""
    assert [len(await redriven(db)) for _ in range(2)] == [2, 0]
    assert [(x.topic, x.key, x.value, x.headers) for x in await sent(db)] == [
        ("inbound.v1", b"k", b"{", ODD),
        ("inbound.v1", None, None, []),
    ]


async def test_listing_sends_nothing(db: Database) -> None:
    """What was listed can still be redriven."""
    listed = await redriven(db, list_only=True)
    assert [(x.reason, x.partition, x.offset) for x in listed] == [
        ("bad_json", 0, 1),
        ("bad_json", 3, 2),
    ]
    assert await sent(db) == []
    assert len(await redriven(db)) == 2


async def test_what_is_redriven_by_another_is_not_sent_twice(db: Database) -> None:
    """Two who saw the same letters: one sends them."""
    async with db.session() as session:
        seen = await dead_letters.all_parked(session)
    assert len(await redriven(db)) == 2
    async with db.transaction() as tx:
        assert await dead_letters.redrive(tx, seen) == []
