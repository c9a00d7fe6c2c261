"""Kafka faults: the broker dies, consumers come and go, offsets are reset; the result is equal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from signal import SIGTERM
from typing import Final
from uuid import uuid4

import psutil
import pytest
from aiokafka import AIOKafkaConsumer
from structlog.testing import capture_logs
from tests.integration.router.conftest import OwnServers
from tests.integration.router.proxy import Fault, Message, run_proxy
from tests.integration.router.router_processes import (
    GROUP,
    ProcessFactory,
    RouterProcesses,
    router_processes,
)
from tests.integration.router.scenario import RunResult, observing, short_pause
from tests.integration.shared.test_consumer import (
    DEAD_LETTERS,
    Seen,
    consuming,
    good,
    spoiled,
)

from router.handlers import CONSUMES
from shared.basics.errors import Transient
from shared.events import Envelope, Event
from shared.platform.offsets import LOAD
from shared.platform.publisher import Publisher
from shared.testing.databases import MakeDatabase
from shared.testing.topics import Topics

OUTAGES: Final = 2
VISITS_MIN: Final = 3
RESETS: Final = 2
EVERY: Final = 6
CLIENT_GAVE_UP: Final = "KafkaTimeoutError"
ERROR_S_MAX: Final = 300
RESET: Final = "DELETE FROM consumer_offset"


@pytest.fixture
async def router(
    database: MakeDatabase, topics: Topics, process_factory: ProcessFactory
) -> AsyncIterator[RouterProcesses]:
    """Run a router."""
    fresh = await database("router")
    async with (
        observing(fresh) as observer,
        router_processes(process_factory, [fresh.dsn], topics, observer) as router,
    ):
        yield router


async def test_the_broker_is_down_while_commands_are_executed(
    own_servers: OwnServers, undisturbed: RunResult, process_factory: ProcessFactory
) -> None:
    """It is killed during the sending of a batch: commands succeed, events are published later.

    It may have stored the batch that it did not acknowledge: repeated records are equal.
    """
    fresh = await own_servers.databases.clone("router")
    bootstrap = own_servers.stack.addresses.kafka_bootstrap
    topics = Topics(bootstrap, prefix=f"test-{uuid4().hex[:8]}.")
    async with (
        observing(fresh) as observer,
        run_proxy(fresh.dsn) as proxy,
        router_processes(process_factory, [proxy.dsn], topics, observer) as router,
    ):
        outages = 0
        is_away = False

        def kill(message: Message) -> Fault:
            """Kill the broker after a COMMIT, when the relay has read the outbox and sends."""
            nonlocal outages, is_away
            if message.is_commit and message.first.startswith("SELECT premium_now()"):
                proxy.stop_faults()
                outages += 1
                is_away = True
                own_servers.stack.kill("kafka")
            return "pass"

        async def come_back(_: Envelope[Event]) -> None:
            nonlocal is_away
            if is_away:
                await own_servers.stack.start("kafka")
                await router.until_ready()
                is_away = False
            if outages < OUTAGES:
                proxy.choose_fault = kill

        router.before_apply = come_back
        assert await router.run() == undisturbed
        assert outages == OUTAGES
        await topics.close()


async def test_the_broker_is_away_for_longer_than_its_client_waits(
    own_servers: OwnServers,
) -> None:
    """A consumer that asks where its partitions end gets an error, and goes on afterwards."""
    fresh = await own_servers.databases.clone("router")
    topics = Topics(own_servers.stack.addresses.kafka_bootstrap, prefix=f"test-{uuid4().hex[:8]}.")
    await topics.create("tickets.v1", DEAD_LETTERS, partitions=1)
    tickets, seen, is_away = [uuid4()], Seen(), asyncio.Event()
    await topics.send([*map(good, tickets), spoiled(b"")])
    async with run_proxy(fresh.dsn) as proxy:

        def kill(message: Message) -> Fault:
            """Kill the broker when the consumer loads its offsets; the next step needs Kafka."""
            if message.text == LOAD.strip() and not is_away.is_set():
                is_away.set()
                own_servers.stack.kill("kafka")
            return "pass"

        proxy.choose_fault = kill
        with capture_logs() as logs:
            async with consuming(topics, replace(fresh, dsn=proxy.dsn), seen):
                await is_away.wait()
                async with asyncio.timeout(ERROR_S_MAX):
                    while not any(CLIENT_GAVE_UP in log.get("reason", "") for log in logs):
                        await short_pause()
                await own_servers.stack.start("kafka")
                await topics.wait_for(DEAD_LETTERS, 1)
                await topics.send([spoiled(b"")])
                await topics.wait_for(DEAD_LETTERS, 2)
    assert seen.tickets == tickets
    await topics.close()


async def test_a_replaced_producer_ends(own_servers: OwnServers) -> None:
    """It keeps neither its unsent records nor a connection when the broker is back."""
    bootstrap = own_servers.stack.addresses.kafka_bootstrap
    topics = Topics(bootstrap, prefix=f"test-{uuid4().hex[:8]}.")
    await topics.create("tickets.v1", partitions=1)
    publisher = Publisher(bootstrap, service="test", topic_prefix=topics.prefix)
    await publisher.publish([good()])
    own_servers.stack.kill("kafka")
    with pytest.raises(Transient):
        await publisher.publish([good()])
    await own_servers.stack.start("kafka")
    await publisher.publish([good()])
    await topics.wait_for("tickets.v1", 2)
    await publisher.stop()
    await topics.close()
    port = int(bootstrap.rpartition(":")[2])
    connections = psutil.Process().net_connections("tcp")
    assert not [c for c in connections if c.raddr and c.raddr.port == port]


async def test_members_join_and_leave(router: RouterProcesses, undisturbed: RunResult) -> None:
    """Partitions are revoked and assigned again while events and commits are in progress."""
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

        router.before_apply = begin_visit
        end = await router.run()
    assert end == undisturbed
    assert len(visits) >= VISITS_MIN


async def test_offsets_are_reset_to_the_beginning(
    router: RouterProcesses, undisturbed: RunResult
) -> None:
    """All records are read again, in batches with new ones: they have no effect."""
    takes, resets = 0, 0

    async def reset(_: Envelope[Event]) -> None:
        nonlocal takes, resets
        takes += 1
        if takes % EVERY == 0 and resets < RESETS:
            resets += 1
            router.signal(SIGTERM)
            await router.wait_ended()
            await router.observer.execute(RESET)
            await router.restart()
            await router.until_read()

    router.before_apply = reset
    assert await router.run() == undisturbed
    assert resets == RESETS


@asynccontextmanager
async def member(topics: Topics) -> AsyncIterator[AIOKafkaConsumer]:
    """Join router's consumer group without reading."""
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
    """Wait until the consumer has this number of partitions."""
    while len(consumer.assignment()) < count:
        await consumer.getmany(timeout_ms=100, max_records=1)
