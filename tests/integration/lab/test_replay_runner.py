"""A replay sets business time for every service, and restores real time however it ends."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import override

import pytest

from devstack.business_time import BusinessTime
from devstack.databases import DATABASES
from lab.broker import Broker
from lab.proof.pipeline import Pipeline
from lab.proof.tables import Tables
from lab.replay.rows import LogDocument
from lab.replay.runner import ReplayRunner
from lab.replay.specialists import specialists
from shared.events import SupportRequest
from shared.platform.postgres import Database, now
from shared.platform.publisher import Outgoing, Publisher
from shared.testing.databases import FreshDatabase, MakeDatabase

NOON = datetime(2020, 1, 6, 12, tzinfo=UTC)
SOON = timedelta(seconds=30)
DOCUMENT = LogDocument(
    NOON + timedelta(hours=1),
    2,
    SupportRequest(
        source="desk",
        external_id="1",
        account_id="a",
        requester_id="r",
        role="seat",
        channel="email",
        language="en",
        subject="",
        occurred_at=NOON,
    ),
)


class Blocked(Publisher):
    """Publishes nothing: signals the call, and waits until cancelled."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1:9", service="test")
        self.called = asyncio.Event()

    @override
    async def publish(self, records: Iterable[Outgoing]) -> None:
        """Block the caller."""
        del records
        self.called.set()
        await asyncio.Event().wait()


class Idle(Pipeline):
    """A pipeline without work."""

    @override
    async def unrest(self) -> str | None:
        """Report no work."""
        return None


@pytest.fixture
async def fresh(database: MakeDatabase) -> dict[str, FreshDatabase]:
    """Create the four databases."""
    return {name: await database(name) for name in DATABASES}


@pytest.fixture
async def tables(fresh: dict[str, FreshDatabase]) -> AsyncIterator[Tables]:
    """Open them as their owners."""
    opened = Tables({name: one.owner_dsn for name, one in fresh.items()})
    await opened.start()
    yield opened
    await opened.stop()


async def times(fresh: dict[str, FreshDatabase]) -> list[datetime]:
    """Return each database's time, as its service reads it."""
    found = []
    for name, one in fresh.items():
        database = Database(one.dsn, service=name, connections_max=1)
        await database.start()
        async with database.session() as session:
            found.append(await now(session))
        await database.stop()
    return found


async def test_every_service_reads_the_same_time(
    fresh: dict[str, FreshDatabase], tables: Tables
) -> None:
    """Time stops, runs faster, and is real again in all four databases."""
    time = BusinessTime(tables.databases)
    await time.stop_at(NOON)
    assert await times(fresh) == [NOON] * 4
    since = await time.real_now()
    await time.run_from(NOON, since=since - timedelta(hours=1), speed=24)
    assert all(moment - NOON >= timedelta(days=1) for moment in await times(fresh))
    await time.restore()
    real = await time.real_now()
    assert all(abs(moment - real) < SOON for moment in await times(fresh))


@pytest.mark.parametrize("speed", [0, 60])
async def test_real_time_is_restored_after_a_cancelled_replay(
    fresh: dict[str, FreshDatabase], tables: Tables, speed: float
) -> None:
    """After Ctrl-C in the middle of a replay, every database has real time."""
    publisher = Blocked()
    async with specialists(tables, "http://127.0.0.1:9", {}) as people:
        runner = ReplayRunner(
            publisher=publisher,
            tables=tables,
            pipeline=Idle(Broker("127.0.0.1:9"), tables),
            specialists=people,
            advance=lambda _: None,
        )
        playing = asyncio.create_task(runner.run([DOCUMENT], speed=speed))
        await publisher.called.wait()
        assert all(moment.year == NOON.year for moment in await times(fresh))
        playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing
    real = await BusinessTime(tables.databases).real_now()
    assert all(abs(moment - real) < SOON for moment in await times(fresh))
