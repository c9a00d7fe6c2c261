"""Family B, Kafka: the broker dies, members come and go, all comes again; a storm ends the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from signal import SIGTERM
from typing import Final
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from tests.integration.router.conftest import Own
from tests.integration.router.proxy import Fate, Message, proxied
from tests.integration.router.router_processes import GROUP, Living, Nursery, living
from tests.integration.router.storm import End, keeping_books

from router.handlers import CONSUMES
from shared.events import Envelope, Event
from shared.testing.databases import MakeDatabase
from shared.testing.topics import Topics

OUTAGES: Final = 2
VISITS_MIN: Final = 3
RESETS: Final = 2
EVERY: Final = 6
RESET: Final = "DELETE FROM consumer_offset"


@pytest.fixture
async def router(database: MakeDatabase, topics: Topics, cradle: Nursery) -> AsyncIterator[Living]:
    """Run a router."""
    fresh = await database("router")
    async with (
        keeping_books(fresh) as books,
        living(cradle, [fresh.dsn], topics, books) as router,
    ):
        yield router


async def test_the_broker_is_away_while_people_act(own: Own, calm: End, cradle: Nursery) -> None:
    """Killed as a batch is on its way to it: acts are taken, all is told once it is back.

    Whether the broker kept what it did not acknowledge is its affair: what comes twice is equal.
    """
    fresh = await own.databases.clone("router")
    bootstrap = own.stack.addresses.kafka_bootstrap
    topics = Topics(bootstrap, prefix=f"test-{uuid4().hex[:8]}.")
    async with (
        keeping_books(fresh) as books,
        proxied(fresh.dsn) as proxy,
        living(cradle, [proxy.dsn], topics, books) as router,
    ):
        outages = 0
        is_away = False

        def kill(message: Message) -> Fate:
            """Strike between a COMMIT and what the relay does next: it has read, and sends."""
            nonlocal outages, is_away
            if message.is_commit and message.first.startswith("SELECT premium_now()"):
                proxy.let_pass()
                outages += 1
                is_away = True
                own.stack.kill("kafka")
            return "pass"

        async def come_back(_: Envelope[Event]) -> None:
            nonlocal is_away
            if is_away:
                await own.stack.start("kafka")
                await router.until_ready()
                is_away = False
            if outages < OUTAGES:
                proxy.judge = kill

        router.before_take = come_back
        assert await router.play() == calm
        assert outages == OUTAGES
        await topics.close()


async def test_members_join_and_leave(router: Living, calm: End) -> None:
    """Partitions are taken from router and given back, records and commits on their way."""
    takes, visits = 0, list[asyncio.Task[None]]()

    async def visit() -> None:
        async with member(router.topics) as other:
            await assigned(other, 1)

    async with asyncio.TaskGroup() as group:

        async def begin_visit(_: Envelope[Event]) -> None:
            nonlocal takes
            takes += 1
            if takes % EVERY == 0:
                await asyncio.gather(*visits)
                visits.append(group.create_task(visit()))

        router.before_take = begin_visit
        end = await router.play()
    assert end == calm
    assert len(visits) >= VISITS_MIN


async def test_offsets_are_reset_to_the_beginning(router: Living, calm: End) -> None:
    """All comes again in the midst of the storm, in one batch with what is new: nothing happens."""
    takes, resets = 0, 0

    async def reset(_: Envelope[Event]) -> None:
        nonlocal takes, resets
        takes += 1
        if takes % EVERY == 0 and resets < RESETS:
            resets += 1
            router.signal(SIGTERM)
            await router.ended()
            await router.books.do(RESET)
            await router.again()
            await router.until_read()

    router.before_take = reset
    assert await router.play() == calm
    assert resets == RESETS


@asynccontextmanager
async def member(topics: Topics) -> AsyncIterator[AIOKafkaConsumer]:
    """Be one more of router's group, who reads nothing."""
    consumer = AIOKafkaConsumer(
        *(topics.prefix + name for name in CONSUMES),
        bootstrap_servers=topics.bootstrap,
        group_id=topics.prefix + GROUP,
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def assigned(consumer: AIOKafkaConsumer, count: int) -> None:
    """Wait until it has so many partitions."""
    while len(consumer.assignment()) < count:
        await consumer.getmany(timeout_ms=100, max_records=1)
