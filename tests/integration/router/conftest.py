"""Router for its tests: its door, what a storm comes to in a calm, and servers to be killed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from httpx import ASGITransport, AsyncClient
from tests.chaos.invariants import announced
from tests.integration.router.keys import key_for_everybody
from tests.integration.router.router_parts import in_process
from tests.integration.router.router_processes import Nursery, nursery
from tests.integration.router.storm import STORM, End, keeping_books, play

from devstack.stack import Stack
from router.api.app import make_app
from router.service.routing import RoutingService
from router.store.access import specialists_of
from shared.platform.access import Authenticator
from shared.platform.postgres import Database
from shared.testing.databases import Databases, FreshDatabase, MakeDatabase, Provision


@pytest.fixture
async def fresh(database: MakeDatabase) -> FreshDatabase:
    """Make router's database."""
    return await database("router")


@asynccontextmanager
async def at_the_door(
    fresh: FreshDatabase, db: Database, routing: RoutingService
) -> AsyncIterator[AsyncClient]:
    """Knock as a desk for everybody, whose key is `desk/test`."""
    key = await key_for_everybody(fresh)
    transport = ASGITransport(make_app(db, routing, Authenticator(db, specialists_of), []))
    headers = {"authorization": f"Bearer {key}"}
    async with AsyncClient(
        transport=transport, base_url="http://router", headers=headers
    ) as client:
        yield client


@pytest.fixture(scope="session")
def calm(databases: Databases) -> End:
    """Play the storm on a router that nothing befalls."""
    return asyncio.run(_calm(databases))


async def _calm(databases: Databases) -> End:
    fresh = await databases.clone("router")
    async with keeping_books(fresh) as books, in_process(fresh.dsn, books) as desk:
        answers = await play(STORM, desk, books)
        end = await books.end(await announced(books.owner), answers)
        assert await books.seen() >= {"accepted", "declined", "expired", "withdrawn"}
    await databases.drop([fresh])
    return end


@dataclass
class Own:
    """Servers of these tests' own: nobody else minds when they are killed."""

    stack: Stack
    databases: Databases


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory, provision: Provision) -> Iterator[Own]:
    """Run a PostgreSQL and a Kafka."""
    stack = Stack(tmp_path_factory.mktemp("own"))
    addresses = asyncio.run(stack.up(services=False))
    yield Own(stack, Databases(addresses.admin_dsn, provision))
    asyncio.run(stack.down(wipe=True))


@pytest.fixture(scope="session")
def cradle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Make routers as processes."""
    with nursery(tmp_path_factory.mktemp("routers")) as made:
        yield made
