"""Business time is what the play says, for every service, and real again however the play ends."""

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
from lab.replay.pick_up import specialists
from lab.replay.play import Player
from lab.replay.rows import Told
from shared.events import SupportRequest
from shared.platform.postgres import Database, now
from shared.platform.publisher import Outgoing, Publisher
from shared.testing.databases import FreshDatabase, MakeDatabase

NOON = datetime(2020, 1, 6, 12, tzinfo=UTC)
SOON = timedelta(seconds=30)
TOLD = Told(
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


class Held(Publisher):
    """Publishes nothing: says that it was asked, and waits for ever."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1:9", service="test")
        self.asked = asyncio.Event()

    @override
    async def publish(self, records: Iterable[Outgoing]) -> None:
        """Hold whoever publishes."""
        del records
        self.asked.set()
        await asyncio.Event().wait()


class Resting(Pipeline):
    """A pipeline with nothing to do."""

    @override
    async def unrest(self) -> str | None:
        """Find none."""
        return None


@pytest.fixture
async def fresh(database: MakeDatabase) -> dict[str, FreshDatabase]:
    """Make the four databases."""
    return {name: await database(name) for name in DATABASES}


@pytest.fixture
async def tables(fresh: dict[str, FreshDatabase]) -> AsyncIterator[Tables]:
    """Open them as their owners."""
    opened = Tables({name: one.owner_dsn for name, one in fresh.items()})
    await opened.start()
    yield opened
    await opened.stop()


async def times(fresh: dict[str, FreshDatabase]) -> list[datetime]:
    """Ask each database for the time, as its service does."""
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
    """Time stands, runs faster, and is real again: in all four databases."""
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
async def test_time_is_real_again_when_a_play_is_broken_off(
    fresh: dict[str, FreshDatabase], tables: Tables, speed: float
) -> None:
    """Ctrl-C in the middle of a replay leaves no database in another year."""
    publisher = Held()
    async with specialists(tables, "http://127.0.0.1:9", {}) as people:
        player = Player(
            publisher=publisher,
            tables=tables,
            pipeline=Resting(Broker("127.0.0.1:9"), tables),
            specialists=people,
            advance=lambda _: None,
        )
        playing = asyncio.create_task(player.play([TOLD], speed=speed))
        await publisher.asked.wait()
        assert all(moment.year == NOON.year for moment in await times(fresh))
        playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing
    real = await BusinessTime(tables.databases).real_now()
    assert all(abs(moment - real) < SOON for moment in await times(fresh))
