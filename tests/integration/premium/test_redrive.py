"""Redrive sends a dead letter back to its topic, byte for byte, and only once."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.integration.access.test_admin import OUTBOX, PARK
from tests.integration.premium.conftest import Deployment

from shared.basics.errors import Poison
from shared.events.codec import Header, Record
from shared.platform import dead_letters, outbox
from shared.platform.dead_letters import DeadLetter
from shared.platform.postgres import Database
from shared.testing.databases import MakeDatabase
from shared.testing.keys import connected

ODD: list[Header] = [("x", None), ("x", b"\xff"), ("dl-topic", b"the sender's own"), ("ü", b"\0")]
RECORDS = (
    Record("inbound.v1", 0, 1, b"k", b"{", ODD),
    Record("inbound.v1", 3, 2, None, None, []),
)
SENT = "SELECT topic, key, value, headers FROM outbox ORDER BY id"


@pytest.fixture
async def db(database: MakeDatabase) -> AsyncIterator[Database]:
    """Return a database with two dead letters."""
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
    """Read the records in the outbox."""
    async with db.session() as session:
        rows = await session.fetch(SENT)
    return [
        Record(row["topic"], 0, 0, row["key"], row["value"], outbox.unpacked(row["headers"]))
        for row in rows
    ]


async def redriven(db: Database, last_id: int, limit: int = 100) -> list[DeadLetter]:
    """Redrive in one transaction."""
    async with db.transaction() as tx:
        return await dead_letters.redrive(tx, last_id, limit)


async def test_a_dead_letter_goes_back_once(db: Database) -> None:
    """Unusual headers stay unchanged; a second redrive finds nothing."""
    async with db.session() as session:
        last_id = (await dead_letters.counted(session)).last_id
    assert [len(await redriven(db, last_id, limit=1)) for _ in range(3)] == [1, 1, 0]
    assert [(x.topic, x.key, x.value, x.headers) for x in await sent(db)] == [
        ("inbound.v1", b"k", b"{", ODD),
        ("inbound.v1", None, None, []),
    ]


async def test_two_redrives_at_once_send_a_dead_letter_once(db: Database) -> None:
    """The second waits for the first, and finds nothing left."""
    async with db.session() as session:
        last_id = (await dead_letters.counted(session)).last_id
    both = await asyncio.gather(redriven(db, last_id), redriven(db, last_id))
    assert sorted(len(one) for one in both) == [0, 2]
    assert len(await sent(db)) == 2


async def test_the_command_redrives_over_http(deployment: Deployment) -> None:
    """Listing sends nothing; each of many dead letters is sent once, and counted."""
    for service, fresh in deployment.databases.items():
        async with connected(fresh.owner_dsn) as owner:
            await owner.execute(PARK, 102)
        listed = await deployment.premium("redrive", service, "--list")
        assert "102 dead letters found" in listed
        assert "inbound.v1" in listed
        assert "102 dead letters sent back" in await deployment.premium("redrive", service)
        assert "0 dead letters found" in await deployment.premium("redrive", service, "--list")
        async with connected(fresh.owner_dsn) as owner:
            assert await owner.fetchval(OUTBOX) == 102
