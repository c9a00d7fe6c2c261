"""The relay and a broker that refuses rows: no row and no topic blocks the others."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

import pytest
from aiokafka import ConsumerRecord

from shared.platform import dead_letters, outbox
from shared.platform.dead_letters import DeadLetter
from shared.platform.postgres import Database
from shared.platform.publisher import Publisher
from shared.platform.relay import Relay
from shared.testing.databases import FreshDatabase, MakeDatabase
from shared.testing.topics import Topics

SERVICE = "test"
LETTERS = f"{SERVICE}.dead-letters.v1"
SMALL = "2000"
"""Bytes that a small topic takes."""


class Row(NamedTuple):
    """A row of the outbox."""

    topic: str
    key: bytes | None
    value: bytes
    partition: int | None = None


def rows(topic: str, key: bytes, *values: str) -> list[Row]:
    """Make rows of one key."""
    return [Row(topic, key, value.encode()) for value in values]


@dataclass
class Running:
    """A running relay."""

    db: Database
    topics: Topics
    fresh: FreshDatabase

    async def announce(self, announced: Sequence[Row]) -> None:
        """Add rows to the outbox, in one transaction."""
        async with self.db.transaction() as tx:
            for row in announced:
                await outbox.add_raw(
                    tx,
                    topic=row.topic,
                    key=row.key,
                    value=row.value,
                    headers=[("h", b"\xff")],
                    partition=row.partition,
                )

    async def arrived(self, topic: str, count: int) -> list[str]:
        """Read this many values of a topic with one partition; duplicates count once."""
        expected, found = count, list[str]()
        while len(found) < count:
            records = await self.topics.wait_for(topic, expected)
            found = list(dict.fromkeys(_text(record) for record in records))
            expected = len(records) + count - len(found)
        return found

    async def parked(self) -> list[DeadLetter]:
        """Read the dead letters."""
        async with self.db.transaction() as tx:
            return await dead_letters.all_parked(tx)

    async def unsent(self) -> int:
        """Count the unpublished rows."""
        async with self.db.transaction() as tx:
            waiting: int = await tx.fetchval("SELECT count(*) FROM outbox")
            return waiting


def _text(record: ConsumerRecord) -> str:
    text: str = record.value.decode()
    return text


@pytest.fixture
async def running(
    topics: Topics, database: Callable[[str], Awaitable[FreshDatabase]]
) -> AsyncIterator[Running]:
    """Run a relay on a new database and topics of one partition."""
    await topics.create("roomy.v1", LETTERS, partitions=1)
    await topics.create("small.v1", partitions=1, max_message_bytes=SMALL)
    async with relaying(topics, database) as made:
        yield made


@asynccontextmanager
async def relaying(topics: Topics, database: MakeDatabase) -> AsyncIterator[Running]:
    """Run a relay while the block runs."""
    fresh = await database("intake")
    db = Database(fresh.dsn, service=SERVICE)
    publisher = Publisher(topics.bootstrap, service=SERVICE, topic_prefix=topics.prefix)
    relay = Relay(db, publisher)
    for part in (db, publisher, relay):
        await part.start()
    try:
        yield Running(db, topics, fresh)
    finally:
        for part in (relay, publisher, db):
            await part.stop()


async def test_a_row_too_large_is_parked_and_its_neighbours_go_on(running: Running) -> None:
    """Rows before and after it, of its own key and others, arrive in order."""
    large = "x" * 5000
    await running.announce(
        [
            *rows("small.v1", b"a", "a1", "a2"),
            *rows("roomy.v1", b"r", "r1"),
            *rows("small.v1", b"a", large, "a3"),
            *rows("small.v1", b"b", "b1"),
            *rows("roomy.v1", b"r", "r2"),
        ]
    )
    assert await running.arrived("small.v1", 4) == ["a1", "a2", "a3", "b1"]
    assert await running.arrived("roomy.v1", 2) == ["r1", "r2"]
    await running.topics.wait_for(LETTERS, 1)
    (letter,) = await running.parked()
    assert (letter.topic, letter.reason, letter.offset) == ("small.v1", "too_large", None)
    assert (letter.key, letter.value, letter.headers) == (b"a", large.encode(), [("h", b"\xff")])


async def test_a_parked_row_is_reported(running: Running) -> None:
    """The topic of dead letters has the number, the reason, and the target topic."""
    await running.announce(rows("small.v1", b"a", "x" * 5000))
    (notice,) = await running.topics.wait_for(LETTERS, 1)
    headers = {name: (value or b"").decode() for name, value in notice.headers}
    assert notice.value is None
    assert headers["dl-topic"] == "small.v1"
    assert headers["dl-reason"] == "too_large"
    assert "max.message.bytes" in headers["dl-detail"]
    assert "dl-offset" not in headers


async def test_a_parked_row_can_be_redriven(running: Running) -> None:
    """After the limit is raised, a redrive sends it unchanged, and it is no longer parked."""
    await running.announce(rows("small.v1", b"a", "x" * 5000))
    await running.topics.wait_for(LETTERS, 1)
    (letter,) = await running.parked()
    await running.topics.set("small.v1", max_message_bytes="100000")
    async with running.db.transaction() as tx:
        assert len(await dead_letters.redrive(tx, letter.id)) == 1
    assert await running.arrived("small.v1", 1) == ["x" * 5000]
    assert await running.parked() == []


async def test_rows_that_fit_one_by_one_all_arrive(running: Running) -> None:
    """A topic may accept less at once than a batch holds: nothing is parked then."""
    values = [f"{number:04}" + "x" * 500 for number in range(60)]
    await running.announce(rows("small.v1", b"a", *values))
    assert await running.arrived("small.v1", 60) == values
    assert await running.parked() == []


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Row("roomy.v1", b"k", b"never", partition=7), "unknown_partition"),
        (Row("no topic's name", b"k", b"never"), "bad_topic"),
        (Row("x" * 300, b"k", b"never"), "bad_topic"),
        (Row("compacted.v1", None, b"never"), "refused"),
        (Row("roomy.v1", b"k", b"x" * 9 * 1024 * 1024), "too_large"),
    ],
)
async def test_a_row_refused_for_any_reason_is_parked(
    running: Running, bad: Row, reason: str
) -> None:
    """It is parked with the reason and its partition, and other rows go on."""
    await running.topics.create("compacted.v1", partitions=1, cleanup_policy="compact")
    await running.announce([*rows("roomy.v1", b"k", "1"), bad, *rows("roomy.v1", b"k", "2")])
    assert await running.arrived("roomy.v1", 2) == ["1", "2"]
    await running.topics.wait_for(LETTERS, 1)
    (letter,) = await running.parked()
    assert (letter.topic, letter.reason, letter.partition) == (bad.topic, reason, bad.partition)
    assert letter.value == bad.value


async def test_a_row_with_unreadable_headers_is_parked(running: Running) -> None:
    """Unreadable headers are in the reason; other rows go on."""
    async with running.db.transaction() as tx:
        await tx.execute(
            "INSERT INTO outbox (topic, key, value, headers) VALUES ('roomy.v1', 'k', 'v', '[[1')"
        )
    await running.announce(rows("roomy.v1", b"k", "1"))
    assert await running.arrived("roomy.v1", 1) == ["1"]
    await running.topics.wait_for(LETTERS, 1)
    (letter,) = await running.parked()
    assert letter.reason == "bad_headers"
    assert "[[1" in letter.detail


async def test_rows_of_a_missing_topic_wait_alone(running: Running) -> None:
    """Nothing is parked: once it is created, its rows arrive in order."""
    await running.announce([*rows("late.v1", b"k", "l1", "l2"), *rows("roomy.v1", b"k", "1", "2")])
    assert await running.arrived("roomy.v1", 2) == ["1", "2"]
    await running.announce(rows("late.v1", b"k", "l3"))
    assert await running.unsent() >= 2
    await running.topics.create("late.v1", partitions=1)
    assert await running.arrived("late.v1", 3) == ["l1", "l2", "l3"]
    assert await running.parked() == []


async def test_rows_of_a_topic_that_refuses_our_clock_wait_alone(running: Running) -> None:
    """All records carry our time, so all would be refused: none is parked."""
    await running.topics.create("clock.v1", partitions=1, message_timestamp_before_max_ms="0")
    await running.announce([*rows("clock.v1", b"k", "c1", "c2"), *rows("roomy.v1", b"k", "1")])
    assert await running.arrived("roomy.v1", 1) == ["1"]
    await running.topics.set("clock.v1", max_message_bytes="100000")
    assert await running.arrived("clock.v1", 2) == ["c1", "c2"]
    assert await running.parked() == []


async def test_a_refused_report_of_a_dead_letter_is_not_reported(
    topics: Topics, database: MakeDatabase
) -> None:
    """A refused report of a dead letter is parked, and not reported itself."""
    await topics.create("roomy.v1", partitions=1)
    await topics.create("small.v1", LETTERS, partitions=1, max_message_bytes="100")
    async with relaying(topics, database) as running:
        await running.announce([*rows("small.v1", b"a", "x" * 500), *rows("roomy.v1", b"r", "r1")])
        assert await running.arrived("roomy.v1", 1) == ["r1"]
        await running.announce(rows("roomy.v1", b"r", "r2", "r3"))
        assert await running.arrived("roomy.v1", 3) == ["r1", "r2", "r3"]
        await running.announce(rows("roomy.v1", b"r", "r4"))
        assert await running.arrived("roomy.v1", 4) == ["r1", "r2", "r3", "r4"]
        assert [letter.topic for letter in await running.parked()] == ["small.v1", LETTERS]
