"""The database determines where a consumer starts, and detects a topic created again."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import TopicAlreadyExistsError
from tests.integration.shared import foreign
from tests.integration.shared.test_consumer import (
    DEAD_LETTERS,
    SERVICE,
    MakeDatabase,
    Seen,
    consuming,
    good,
    spoiled,
)

from shared.platform.publisher import Outgoing
from shared.testing.databases import FreshDatabase
from shared.testing.topics import Topics

FORGET = "TRUNCATE processed_event"
KEEP = "CREATE TABLE kept AS TABLE consumer_offset"
RESTORE = "DELETE FROM consumer_offset", "INSERT INTO consumer_offset TABLE kept"
OFFSET = "SELECT record_offset FROM consumer_offset"
MOVE = "UPDATE consumer_offset SET record_offset = $1"


async def handled(topics: Topics, fresh: FreshDatabase, ends: int) -> list[UUID]:
    """Consume up to the record with this number; return the tickets handled."""
    seen = Seen()
    async with consuming(topics, fresh, seen):
        await topics.wait_for(DEAD_LETTERS, ends)
    return seen.tickets


async def run(fresh: FreshDatabase, *statements: str, args: Sequence[object] = ()) -> int | None:
    """Run statements as the owner of the database; return a value of the last one."""
    connection = await asyncpg.connect(fresh.owner_dsn)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        value: int | None = await connection.fetchval(statements[-1], *args)
    finally:
        await connection.close()
    return value


async def create_again(topics: Topics, name: str) -> None:
    """Delete a topic, and create it again once Kafka has deleted it."""
    await topics.delete(name)
    async with asyncio.timeout(30):
        while True:
            with suppress(TopicAlreadyExistsError):
                return await topics.create(name, partitions=1)


def end() -> Outgoing:
    """Make a record that is parked and marks the end."""
    return spoiled(f"{uuid4()} is no JSON".encode())


def some(ids: Sequence[UUID]) -> list[Outgoing]:
    """Make facts about tickets, and an end."""
    return [*map(good, ids), end()]


async def test_a_restored_database_reads_again_what_it_lost(
    topics: Topics, database: MakeDatabase
) -> None:
    """Kafka's committed offset does not matter; earlier records are not handled again."""
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=1)
    fresh, before, after = await database("intake"), [uuid4(), uuid4()], [uuid4() for _ in range(3)]
    await topics.send(some(before))
    assert await handled(topics, fresh, 1) == before
    await run(fresh, KEEP)
    await topics.send(some(after))
    assert await handled(topics, fresh, 2) == after
    await run(fresh, *RESTORE, FORGET)
    assert await handled(topics, fresh, 3) == after


async def test_offsets_that_kafka_does_not_have_are_committed_at_the_start(
    topics: Topics, database: MakeDatabase
) -> None:
    """A consumer killed before its commit left them: tools would show a lag until a next record."""
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=2)
    fresh = await database("intake")
    await topics.send([*map(good, (uuid4() for _ in range(20))), end()])
    assert len(await handled(topics, fresh, 1)) == 20
    foreign.set_offsets(topics, SERVICE, "tickets.v1", [0, 0])
    assert await topics.lag(SERVICE, "tickets.v1") == 21
    async with consuming(topics, fresh, seen := Seen()), asyncio.timeout(30):
        while await topics.lag(SERVICE, "tickets.v1"):
            pass
    assert seen.tickets == []


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_a_topic_created_again_is_read_from_its_beginning(
    topics: Topics, database: MakeDatabase, count: int
) -> None:
    """Whether it is shorter than the old one, as long, or longer."""
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=1)
    fresh, before = await database("intake"), [uuid4(), uuid4()]
    after = [uuid4() for _ in range(count)]
    await topics.send(some(before))
    assert await handled(topics, fresh, 1) == before
    await create_again(topics, "tickets.v1")
    await topics.send(some(after))
    assert await handled(topics, fresh, 2) == after


async def test_transactions_of_another_client(topics: Topics, database: MakeDatabase) -> None:
    """Aborted records are skipped; control records do not disturb the offsets."""
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=1)
    fresh, ids = await database("intake"), [uuid4() for _ in range(5)]
    with foreign.transactions(topics) as write:
        write(map(good, ids[:1]), commit=False)
        write(some(ids[1:3]), commit=True)
        write(map(good, ids[3:4]), commit=False)
        assert await handled(topics, fresh, 1) == ids[1:3]
        await run(fresh, FORGET)
        write(some(ids[4:]), commit=True)
        assert await handled(topics, fresh, 2) == ids[4:]


@pytest.mark.parametrize("remains", ["what stood around it", "what came later"])
async def test_without_the_last_record_the_topic_is_read_again(
    topics: Topics, database: MakeDatabase, remains: str
) -> None:
    """After compaction or retention no record proves that the topic is the same."""
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=1)
    fresh, before, after = await database("intake"), [uuid4(), uuid4()], [uuid4(), uuid4()]
    with foreign.transactions(topics) as write:
        write(some(before), commit=True)
        assert await handled(topics, fresh, 1) == before
        write(some(after), commit=True)
        if remains == "what came later":
            await delete_before(topics, 4)
        else:
            await run(fresh, FORGET)
            await run(fresh, MOVE, args=[3])  # the offset of the control record
        again = before if remains == "what stood around it" else []
        ends = 3 if again else 2
        assert await handled(topics, fresh, ends) == [*again, *after]


async def test_skipped_records_are_not_read_again(topics: Topics, database: MakeDatabase) -> None:
    """Offsets of skipped records are saved without a transaction of their own."""
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=1)
    fresh = await database("intake")
    unknown = spoiled(good().value, "ce_type", b"premium.ticket.praised.v1")
    async with consuming(topics, fresh, Seen()):
        await topics.send([end(), *[unknown] * 3])
        async with asyncio.timeout(30):
            while await topics.lag(SERVICE, "tickets.v1"):
                pass
    assert await run(fresh, OFFSET) == 3


async def delete_before(topics: Topics, offset: int) -> None:
    """Delete the records before an offset, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=topics.bootstrap)
    await admin.start()
    place = TopicPartition(f"{topics.prefix}tickets.v1", 0)
    try:
        await admin.delete_records({place: RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()
