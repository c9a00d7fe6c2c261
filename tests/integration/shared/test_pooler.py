"""Behind a real PgBouncer, in either mode: right results, order, one active relay."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from tests.pgbouncer import Mode, pgbouncer, through

from shared.basics.errors import Poison, Transient
from shared.platform import outbox, processed_events
from shared.platform.postgres import Database
from shared.platform.publisher import Publisher
from shared.platform.relay import Relay
from shared.testing.databases import FreshDatabase, MakeDatabase
from shared.testing.topics import Topics

CLIENTS = 12
ROUNDS = 20


@pytest.fixture
async def fresh(database: MakeDatabase) -> FreshDatabase:
    """Make an empty database."""
    return await database("intake")


@pytest.fixture(params=["session", "transaction"])
def mode(request: pytest.FixtureRequest) -> Mode:
    """Run the test in both modes."""
    found: Mode = request.param
    return found


@pytest.fixture
def pooler(fresh: FreshDatabase, mode: Mode) -> Iterator[str]:
    """Run a PgBouncer before the database; return its DSN for the service."""
    with pgbouncer([fresh.dsn], mode) as place:
        yield through(place, fresh.dsn)


@asynccontextmanager
async def opened(dsn: str, mode: Mode | None = None) -> AsyncIterator[Database]:
    """Open a database with the pooler's settings."""
    db = Database(dsn, service="test", pooled=mode == "transaction")
    await db.start()
    try:
        yield db
    finally:
        await db.stop()


async def work(db: Database, client: int) -> None:
    """Run different queries, in transactions and alone, and check each result."""
    for step in range(ROUNDS):
        number = client * ROUNDS + step
        async with db.transaction() as tx:
            assert await tx.fetchval(f"SELECT $1::int + {step % 7}", number) == number + step % 7
            await outbox.add_raw(
                tx, topic="t", key=str(client).encode(), value=str(number).encode(), headers=[]
            )
        async with db.session() as session:
            row = await session.fetchrow("SELECT $1::text AS a, $2::bytea AS b", str(number), b"x")
            assert row is not None
            assert (row["a"], row["b"]) == (str(number), b"x")


async def test_concurrent_clients_get_their_own_results(pooler: str, mode: Mode) -> None:
    """Statements with values, COPY and single reads, by more clients than servers."""
    async with opened(pooler, mode) as db, opened(pooler, mode) as other:
        await asyncio.gather(*(work(d, n) for n, d in enumerate([db, other] * CLIENTS)))
        async with db.transaction() as tx:
            assert await tx.fetchval("SELECT count(*) FROM outbox") == 2 * CLIENTS * ROUNDS
            assert await processed_events.prune(tx, limit=1) == 0


async def test_the_relay_bypasses_the_pooler(
    pooler: str, mode: Mode, fresh: FreshDatabase, topics: Topics
) -> None:
    """Each row once, in order, and another relay takes over: the lock has its own session."""
    await topics.create("t", partitions=1)
    publisher = Publisher(topics.bootstrap, service="test", topic_prefix=topics.prefix)
    async with opened(pooler, mode) as db, opened(fresh.dsn) as direct:
        sessions = direct if mode == "transaction" else None
        first, second = (Relay(db, publisher, sessions=sessions) for _ in range(2))
        await first.start()
        await second.start()
        await work(db, 1)
        await topics.wait_for("t", ROUNDS)
        await first.stop()
        await work(db, 2)
        records = await topics.wait_for("t", 2 * ROUNDS)
        await second.stop()
    await publisher.stop()
    assert [int(record.value) for record in records] == [*range(ROUNDS, 3 * ROUNDS)]


async def test_an_undeclared_pooler_is_detected(pooler: str, mode: Mode) -> None:
    """A service behind an undeclared pooler in transaction mode does not start."""
    async with opened(pooler) as db:
        if mode == "session":
            await db.check_sessions()
        else:
            with pytest.raises(Poison, match="DIRECT_DSN"):
                await db.check_sessions()


async def test_a_declared_pooler_is_accepted(fresh: FreshDatabase) -> None:
    """A service starts without a pooler, or with a declared one."""
    with pgbouncer([fresh.dsn], "transaction") as place:
        async with opened(through(place, fresh.dsn), "transaction") as named:
            await named.check_sessions()
    async with opened(fresh.dsn) as direct:
        await direct.check_sessions()


async def test_a_migration_at_run_time_costs_only_a_retry(fresh: FreshDatabase) -> None:
    """A migration at run time costs a retry, and no record: the cached plan is dropped."""
    async with opened(fresh.dsn) as db, opened(fresh.owner_dsn) as owner:
        async with db.transaction() as tx:
            await tx.fetch("SELECT * FROM processed_event")
        async with owner.transaction() as tx:
            await tx.execute("ALTER TABLE processed_event ADD COLUMN more text")
        with pytest.raises(Transient):
            async with db.transaction() as tx:
                await tx.fetch("SELECT * FROM processed_event")
        async with db.transaction() as tx:
            assert await tx.fetch("SELECT * FROM processed_event") == []
