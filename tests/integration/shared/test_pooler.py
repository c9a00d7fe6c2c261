"""Behind a real PgBouncer, in either mode: right answers, order, and one relay at a time."""

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
    """Give an empty database."""
    return await database("intake")


@pytest.fixture(params=["session", "transaction"])
def mode(request: pytest.FixtureRequest) -> Mode:
    """Try both modes."""
    found: Mode = request.param
    return found


@pytest.fixture
def pooler(fresh: FreshDatabase, mode: Mode) -> Iterator[str]:
    """Run a PgBouncer before the database; its DSN for the service comes back."""
    with pgbouncer([fresh.dsn], mode) as place:
        yield through(place, fresh.dsn)


@asynccontextmanager
async def opened(dsn: str, mode: Mode | None = None) -> AsyncIterator[Database]:
    """Open a database, told of the pooler as its settings tell a service."""
    db = Database(dsn, service="test", pooled=mode == "transaction")
    await db.start()
    try:
        yield db
    finally:
        await db.stop()


async def work(db: Database, client: int) -> None:
    """Ask for something else each time, in transactions and alone, and get just that."""
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


async def test_many_at_once_get_their_own_answers(pooler: str, mode: Mode) -> None:
    """Statements with values, COPY and single reads, by more clients than there are servers."""
    async with opened(pooler, mode) as db, opened(pooler, mode) as other:
        await asyncio.gather(*(work(d, n) for n, d in enumerate([db, other] * CLIENTS)))
        async with db.transaction() as tx:
            assert await tx.fetchval("SELECT count(*) FROM outbox") == 2 * CLIENTS * ROUNDS
            assert await processed_events.prune(tx, limit=1) == 0


async def test_the_relay_goes_past_the_pooler(
    pooler: str, mode: Mode, fresh: FreshDatabase, topics: Topics
) -> None:
    """In order, each once, and another relay takes over: its lock lives in a session of its own."""
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


async def test_a_pooler_that_nobody_names_is_found(pooler: str, mode: Mode) -> None:
    """In transaction mode, a service that takes its sessions for its own does not begin."""
    async with opened(pooler) as db:
        if mode == "session":
            await db.check_sessions()
        else:
            with pytest.raises(Poison, match="DIRECT_DSN"):
                await db.check_sessions()


async def test_what_is_named_or_direct_may_begin(fresh: FreshDatabase) -> None:
    """No pooler, or one that the settings name."""
    with pgbouncer([fresh.dsn], "transaction") as place:
        async with opened(through(place, fresh.dsn), "transaction") as named:
            await named.check_sessions()
    async with opened(fresh.dsn) as direct:
        await direct.check_sessions()


async def test_a_table_that_changed_is_asked_again(fresh: FreshDatabase) -> None:
    """A migration while a service runs costs a try, and no record: the old plan is forgotten."""
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
