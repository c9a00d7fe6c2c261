"""Metrics and readiness show the current state, especially when something has stopped."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

import asyncpg
from httpx import AsyncClient
from tests.integration.restore.cases import INTAKE, NOTIFIER, ROUTER, SLA_MONITOR, Case
from tests.integration.shared.test_consumer import SERVICE, MakeDatabase, consumer_of, good, spoiled
from tests.integration.shared.test_recreated import until

from devstack.ports import free_port
from shared.basics.clock import wait_at_most
from shared.basics.errors import Transient
from shared.events import Envelope, Event, dead_letter_topic
from shared.platform.http import HttpServer
from shared.platform.postgres import Database, Tx
from shared.testing.builders import NOON, minutes
from shared.testing.databases import FreshDatabase
from shared.testing.topics import Topics

STAND = """
    CREATE OR REPLACE FUNCTION premium_now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT timestamptz '{}' $$
"""
WATERMARK = "UPDATE watermark SET evaluated_to = $1, published_at = 'infinity'"
TRIED = "SELECT EXISTS (SELECT FROM delivery WHERE attempts > 0)"
AWAY = "127.0.0.1:9"


async def test_lag_grows_while_a_batch_waits(topics: Topics, database: MakeDatabase) -> None:
    """The lag is what Kafka holds beyond the handled records, not what was fetched."""
    await topics.create("tickets.v1", partitions=1)
    db = Database((await database("intake")).dsn, service=SERVICE)
    stuck, waiting = True, asyncio.Event()

    async def handle(_: Tx, __: Sequence[Envelope[Event]], ___: datetime) -> None:
        if stuck:
            waiting.set()
            raise Transient("a server is away")

    consumer = consumer_of(topics, db, handle)
    await db.start()
    await consumer.start()
    try:
        await topics.send([good()])
        await asyncio.wait_for(waiting.wait(), 30)
        assert await consumer.lag() == {("tickets.v1", "0"): 1}
        await topics.send([good() for _ in range(4)])
        assert await consumer.lag() == {("tickets.v1", "0"): 5}
        stuck = False
        async with asyncio.timeout(30):
            while await consumer.lag() != {("tickets.v1", "0"): 0}:
                await wait_at_most(asyncio.Event().wait(), 0.05)
        await until(consumer, None)
    finally:
        await consumer.stop()
        await db.stop()


@asynccontextmanager
async def serving(
    case: Case, fresh: FreshDatabase, topics: Topics, bootstrap: str
) -> AsyncIterator[AsyncClient]:
    """Run a service with all its parts; yield an HTTP client."""
    port = free_port()
    settings = case.settings(
        dsn=fresh.dsn, kafka_bootstrap=bootstrap, http_port=port, topic_prefix=topics.prefix
    )
    db = Database(fresh.dsn, service=case.package)
    async with AsyncExitStack() as stack:
        for part in (db, *case.assemble(settings, db)):
            await part.start()
            stack.push_async_callback(part.stop)
            assert not isinstance(part, HttpServer) or part.listening
        yield await stack.enter_async_context(AsyncClient(base_url=f"http://127.0.0.1:{port}"))


async def metric(client: AsyncClient, name: str) -> str | None:
    """Read a metric; None if it is missing."""
    lines = (await client.get("/metrics")).text.splitlines()
    return next((line.split()[-1] for line in lines if line.startswith(name)), None)


async def ready(client: AsyncClient, status: str) -> dict[str, str]:
    """Wait until the service has this readiness; return its faults."""
    async with asyncio.timeout(60):
        while (answer := await client.get("/ready")).json()["status"] != status:
            await wait_at_most(asyncio.Event().wait(), 0.05)
    assert answer.status_code == (503 if status == "not ready" else 200)
    faults: dict[str, str] = answer.json()["faults"]
    return faults


async def prepared(case: Case, database: MakeDatabase, topics: Topics) -> FreshDatabase:
    """Create a service's topics and its database, at noon."""
    letters = dead_letter_topic(case.package.replace("_", "-"))
    await topics.create(*{*case.reads, *case.writes, letters}, partitions=1)
    fresh = await database(case.package)
    await run(fresh, STAND.format(NOON.isoformat()))
    return fresh


async def run(fresh: FreshDatabase, statement: str, *args: object) -> None:
    """Run a statement as the owner of the database."""
    connection = await asyncpg.connect(fresh.owner_dsn)
    try:
        await connection.execute(statement, *args)
    finally:
        await connection.close()


async def value_of(fresh: FreshDatabase, query: str) -> object:
    """Read one value as the owner of the database."""
    connection = await asyncpg.connect(fresh.owner_dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_intake_is_ready_while_kafka_is_unavailable(
    topics: Topics, database: MakeDatabase
) -> None:
    """Even if it starts then: it accepts requests, and reports what is delayed."""
    fresh = await prepared(INTAKE, database, topics)
    async with serving(INTAKE, fresh, topics, AWAY) as client:
        assert (await ready(client, "degraded")).keys() == {"partitions"}
        assert await metric(client, "premium_consumer_lag{") is None
        assert await metric(client, "premium_outbox_age_seconds ") == "0.0"


async def test_router_is_not_ready_without_a_topic_of_its_own(
    topics: Topics, database: MakeDatabase
) -> None:
    """It names the topic."""
    fresh = await prepared(ROUTER, database, topics)
    async with serving(ROUTER, fresh, topics, topics.bootstrap) as client:
        assert await ready(client, "ready") == {}
        await topics.delete("tickets.v1")
        faults = await ready(client, "not ready")
        await topics.create("tickets.v1", partitions=1)
        assert await ready(client, "ready") == {}
    assert faults == {"partitions": f"Kafka has no topic {topics.prefix}tickets.v1; create it"}


async def test_sla_monitor_needs_the_partitions_of_both_its_consumers(
    topics: Topics, database: MakeDatabase
) -> None:
    """Also those of its secondary consumer."""
    fresh = await prepared(SLA_MONITOR, database, topics)
    async with serving(SLA_MONITOR, fresh, topics, topics.bootstrap) as client:
        assert await ready(client, "ready") == {}
        await topics.delete("assignments.v1")
        assert (await ready(client, "not ready")).keys() == {"secondary partitions"}


async def test_the_age_of_a_watermark_grows_without_sweeps(
    topics: Topics, database: MakeDatabase
) -> None:
    """It is read from the database, not kept from the last sweep."""
    fresh = await prepared(SLA_MONITOR, database, topics)
    async with serving(SLA_MONITOR, fresh, topics, topics.bootstrap) as client:
        assert await ready(client, "ready") == {}
        await run(fresh, WATERMARK, NOON)
        await run(fresh, STAND.format((NOON + minutes(7)).isoformat()))
        assert await metric(client, "premium_watermark_age_seconds") == "420.0"


async def test_the_age_of_a_delivery_grows_while_it_backs_off(
    topics: Topics, database: MakeDatabase
) -> None:
    """Also between the attempts, when nothing is due."""
    fresh = await prepared(NOTIFIER, database, topics)
    async with serving(NOTIFIER, fresh, topics, topics.bootstrap) as client:
        await topics.send(NOTIFIER.before)
        async with asyncio.timeout(30):
            while not await value_of(fresh, TRIED):
                await wait_at_most(asyncio.Event().wait(), 0.05)
        await run(fresh, STAND.format((NOON + minutes(7)).isoformat()))
        assert await metric(client, "premium_delivery_age_seconds") == "420.0"


async def test_only_unknown_types_are_counted_as_skipped(
    topics: Topics, database: MakeDatabase
) -> None:
    """By topic; a sender's values are never labels."""
    fresh = await prepared(ROUTER, database, topics)
    unknown = spoiled(good().value, "ce_type", b"premium.ticket.praised-by-everybody.v1")
    async with serving(ROUTER, fresh, topics, topics.bootstrap) as client:
        before = float(await metric(client, 'premium_skipped_total{topic="tickets.v1"}') or 0)
        await topics.send([unknown, unknown])
        async with asyncio.timeout(30):
            while await topics.lag("router", "tickets.v1"):
                await wait_at_most(asyncio.Event().wait(), 0.05)
        after = float(await metric(client, 'premium_skipped_total{topic="tickets.v1"}') or 0)
        assert after - before == 2
        assert "praised" not in (await client.get("/metrics")).text
