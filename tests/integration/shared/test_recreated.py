"""A topic is deleted and created again while a service runs: it says so, and reads on."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

from tests.integration.shared.test_consumer import (
    DEAD_LETTERS,
    SERVICE,
    MakeDatabase,
    Seen,
    announce_end,
    consumer_of,
    consuming,
    good,
)
from tests.integration.shared.test_offsets import create_again

from shared.basics.clock import wait_at_most
from shared.events import Envelope, Event
from shared.platform.consumer import BatchConsumer
from shared.platform.postgres import Database, Tx
from shared.testing.topics import Topics

HEALED_S = 30


async def until(consumer: BatchConsumer[Envelope[Event]], fault: str | None) -> None:
    """Wait until the consumer says that it has a fault, or none."""
    async with asyncio.timeout(HEALED_S):
        while (said := await consumer.fault()) != fault:
            assert said is None or "tickets.v1" in said or "yet" in said
            await wait_at_most(asyncio.Event().wait(), 0.05)


async def test_a_topic_created_again_is_read_within_half_a_minute(
    topics: Topics, database: MakeDatabase
) -> None:
    """Not ready without it; what is written to it then is handled, from its first record on."""
    await topics.create("tickets.v1", "clocks.v1", partitions=1)
    db = Database((await database("intake")).dsn, service=SERVICE)
    seen = Seen()
    before, after = [uuid4() for _ in range(3)], [uuid4() for _ in range(2)]
    consumer = consumer_of(topics, db, seen, reads=("tickets.v1", "clocks.v1"))
    await db.start()
    await consumer.start()
    try:
        await until(consumer, None)
        await topics.send(map(good, before))
        await seen.until(before)
        await topics.delete("tickets.v1")
        await until(consumer, f"Kafka has no topic {topics.prefix}tickets.v1; create it")
        await topics.create("tickets.v1", partitions=1)
        await topics.send(map(good, after))
        await seen.until([*before, *after])
        await until(consumer, None)
    finally:
        await consumer.stop()
        await db.stop()


async def test_a_topic_that_is_gone_for_a_moment_only_is_read_from_its_beginning(
    topics: Topics, database: MakeDatabase
) -> None:
    """Also when the group never notices."""
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=1)
    db = Database((await database("intake")).dsn, service=SERVICE)
    seen = Seen()
    before, after = [uuid4() for _ in range(3)], [uuid4() for _ in range(2)]
    consumer = consumer_of(topics, db, seen)
    await db.start()
    await consumer.start()
    try:
        await topics.send(map(good, before))
        await seen.until(before)
        await create_again(topics, "tickets.v1")
        await topics.send(map(good, after))
        await seen.until([*before, *after])
        await until(consumer, None)
    finally:
        await consumer.stop()
        await db.stop()


async def test_every_partition_is_held_by_some_member(
    topics: Topics, database: MakeDatabase
) -> None:
    """Ready is who lacks nothing: also a member for which no partition is left."""
    await topics.create("tickets.v1", partitions=1)
    db = Database((await database("intake")).dsn, service=SERVICE)
    consumers = [consumer_of(topics, db, Seen()) for _ in range(2)]
    await db.start()
    for consumer in consumers:
        await consumer.start()
    try:
        await asyncio.gather(*(until(consumer, None) for consumer in consumers))
    finally:
        for consumer in consumers:
            await consumer.stop()
        await db.stop()


async def announce(tx: Tx, _: Sequence[Envelope[Event]], __: datetime) -> None:
    """Announce something for each batch."""
    await announce_end(tx)


async def test_what_is_announced_reaches_a_topic_that_was_created_again(
    topics: Topics, database: MakeDatabase
) -> None:
    """It waits in the outbox while the topic is away, and is published once it is there."""
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=1)
    async with consuming(topics, await database("intake"), announce):
        await topics.send([good()])
        await topics.wait_for(DEAD_LETTERS, 1)
        await create_again(topics, DEAD_LETTERS)
        await topics.send([good()])
        await topics.wait_for(DEAD_LETTERS, 1)
