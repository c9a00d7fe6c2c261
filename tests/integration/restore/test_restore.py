"""A service's database is restored to an earlier time, or reads everything again."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, NamedTuple

import asyncpg
import pytest
from tests.integration.restore.cases import CASES, Case

from shared.basics.clock import wait_at_most
from shared.events import WatermarkAdvanced, dead_letter_topic
from shared.platform.postgres import Database
from shared.testing.builders import NOON, minutes
from shared.testing.databases import FreshDatabase, MakeDatabase
from shared.testing.servers import Servers
from shared.testing.topics import Topics

STAND: Final = f"""
    CREATE OR REPLACE FUNCTION premium_now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT timestamptz '{(NOON + minutes(40)).isoformat()}' $$
"""
COPY: Final = 'CREATE DATABASE "{to}" TEMPLATE "{name}" OWNER "{owner}"'
FORGET: Final = "TRUNCATE processed_event, consumer_offset"
READ: Final = "SELECT topic, record_offset + 1 FROM consumer_offset"
UNSENT: Final = "SELECT count(*) FROM outbox"
ROWS: Final = 'SELECT t::text FROM ({query}) AS t ORDER BY t::text COLLATE "C"'

each_service = pytest.mark.parametrize("case", CASES, ids=[case.package for case in CASES])


class End(NamedTuple):
    """The final state of a service: its tables, and the facts that it published."""

    rows: dict[str, list[str]]
    facts: dict[str, set[bytes]]


@asynccontextmanager
async def running(case: Case, fresh: FreshDatabase, topics: Topics) -> AsyncIterator[None]:
    """Run a service with all its parts."""
    settings = case.settings(
        dsn=fresh.dsn,
        kafka_bootstrap=topics.bootstrap,
        http_port=0,
        topic_prefix=topics.prefix,
    )
    db = Database(fresh.dsn, service=case.package)
    async with AsyncExitStack() as stack:
        for part in (db, *case.assemble(settings, db)):
            await part.start()
            stack.push_async_callback(part.stop)
        yield


@asynccontextmanager
async def owning(fresh: FreshDatabase) -> AsyncIterator[asyncpg.Connection]:
    """Connect as the owner of a database."""
    connection = await asyncpg.connect(fresh.owner_dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def read_all(case: Case, fresh: FreshDatabase, topics: Topics) -> End:
    """Run a service until it has read and published everything; return its final state."""
    sent = {topics.prefix + t: len(found) for t in case.reads if (found := await topics.read(t))}
    async with owning(fresh) as owner:
        async with running(case, fresh, topics), asyncio.timeout(60):
            while (
                dict(await owner.fetch(READ)) != sent
                or await owner.fetchval(case.left)
                or await owner.fetchval(UNSENT)
            ):
                await wait_at_most(asyncio.Event().wait(), 0.05)
        rows = {
            query: [row[0] for row in await owner.fetch(ROWS.format(query=query))]
            for query in case.tables
        }
    return End(rows, await published(case, topics))


async def published(case: Case, topics: Topics) -> dict[str, set[bytes]]:
    """Return the facts by id, each with all its published copies."""
    facts: dict[str, set[bytes]] = {}
    for topic in case.writes:
        for record in await topics.read(topic):
            headers = {name: value.decode() for name, value in record.headers if value is not None}
            if not _is_repeated(headers["ce_type"], record.value):
                facts.setdefault(headers["ce_id"], set()).add(record.value)
    return facts


def standing(facts: dict[str, set[bytes]]) -> dict[str, set[bytes]]:
    """Leave out what the order of topics decides: what was retracted, retractions, breakdowns."""
    retracted_by = {
        name: json.loads(value)["retracted_id"]
        for name, values in facts.items()
        for value in values
        if b'"retracted_id"' in value
    }
    gone = retracted_by.keys() | set(retracted_by.values())
    return {
        name: {_without_breakdown(value) for value in values}
        for name, values in facts.items()
        if name not in gone
    }


def _without_breakdown(value: bytes) -> bytes:
    fields = json.loads(value)
    fields.pop("breakdown", None)
    return json.dumps(fields).encode()


def _is_repeated(event_type: str, value: bytes) -> bool:
    """Return whether an event may repeat: watermarks, and receipts for copies."""
    return event_type == WatermarkAdvanced.type or b'"outcome":"duplicate"' in value


@each_service
async def test_nothing_is_missing_after_a_restore(
    case: Case, database: MakeDatabase, topics: Topics, servers: Servers
) -> None:
    """It reads again what it lost: the rows, facts and ids are the same."""
    fresh = await begin(case, database, topics)
    await topics.send(case.before)
    await read_all(case, fresh, topics)
    earlier = fresh.renamed(f"{fresh.name}_earlier")
    await on(servers, COPY.format(to=earlier.name, name=fresh.name, owner=fresh.roles[1]))
    try:
        await topics.send(case.after)
        end = await read_all(case, fresh, topics)
        restored = await read_all(case, earlier, topics)
        async with owning(earlier) as owner:
            assert not [row for query in case.wrong for row in await owner.fetch(query)]
    finally:
        await on(servers, f'DROP DATABASE "{earlier.name}" WITH (FORCE)')
    assert {query: restored.rows[query] for query in case.derived_tables} == {
        query: end.rows[query] for query in case.derived_tables
    }
    assert case.publishes_by_order or standing(restored.facts) == standing(end.facts)


@each_service
async def test_reading_everything_again_changes_nothing(
    case: Case, database: MakeDatabase, topics: Topics
) -> None:
    """Even from the first record on, without any processed event ids."""
    fresh = await begin(case, database, topics)
    await topics.send([*case.before, *case.after])
    end = await read_all(case, fresh, topics)
    async with owning(fresh) as owner:
        await owner.execute(FORGET)
    assert await read_all(case, fresh, topics) == end


async def begin(case: Case, database: MakeDatabase, topics: Topics) -> FreshDatabase:
    """Create a service's topics and its database, with a fixed time."""
    letters = dead_letter_topic(case.package.replace("_", "-"))
    await topics.create(*{*case.reads, *case.writes, letters}, partitions=1)
    fresh = await database(case.package)
    async with owning(fresh) as owner:
        await owner.execute(STAND)
    return fresh


async def on(servers: Servers, statement: str) -> None:
    """Run a statement as the server's administrator."""
    connection = await asyncpg.connect(servers.postgres_dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
