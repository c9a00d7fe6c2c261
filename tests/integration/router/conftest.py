"""Fixtures of router's tests: an API client, the undisturbed result, and servers to kill."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from httpx import ASGITransport, AsyncClient
from tests.chaos.invariants import outbox_facts
from tests.integration.router.keys import key_for_all_specialists
from tests.integration.router.router_parts import in_process
from tests.integration.router.router_processes import ProcessFactory, start_process_factory
from tests.integration.router.scenario import SCENARIO, RunResult, observing, run_scenario

from devstack.stack import Stack
from router.api.app import make_app
from router.service.routing import RoutingService
from shared.platform.access import Authenticator
from shared.platform.postgres import Database
from shared.testing.databases import Databases, FreshDatabase, MakeDatabase, Provision


@pytest.fixture
async def fresh(database: MakeDatabase) -> FreshDatabase:
    """Create router's database."""
    return await database("router")


@asynccontextmanager
async def api_client(
    fresh: FreshDatabase, db: Database, routing: RoutingService
) -> AsyncIterator[AsyncClient]:
    """Yield an API client that may act as any specialist, with the key `desk/test`."""
    key = await key_for_all_specialists(fresh)
    transport = ASGITransport(make_app(db, routing, Authenticator(db), []))
    headers = {"authorization": f"Bearer {key}"}
    async with AsyncClient(
        transport=transport, base_url="http://router", headers=headers
    ) as client:
        yield client


@pytest.fixture(scope="session")
def undisturbed(databases: Databases) -> RunResult:
    """Run the scenario on a router without any fault, and return its result."""
    return asyncio.run(_undisturbed(databases))


async def _undisturbed(databases: Databases) -> RunResult:
    fresh = await databases.clone("router")
    async with observing(fresh) as observer, in_process(fresh.dsn, observer) as router:
        answers = await run_scenario(SCENARIO, router, observer)
        end = await observer.end(await outbox_facts(observer.owner), answers)
        assert await observer.kinds_seen() >= {"accepted", "declined", "expired", "withdrawn"}
    await databases.drop([fresh])
    return end


@dataclass
class OwnServers:
    """Servers of these tests only, so that they may be killed."""

    stack: Stack
    databases: Databases


@pytest.fixture(scope="session")
def own_servers(
    tmp_path_factory: pytest.TempPathFactory, provision: Provision
) -> Iterator[OwnServers]:
    """Start a PostgreSQL and a Kafka."""
    stack = Stack(tmp_path_factory.mktemp("own"))
    addresses = asyncio.run(stack.up(services=False))
    yield OwnServers(stack, Databases(addresses.admin_dsn, provision))
    asyncio.run(stack.down(wipe=True))


@pytest.fixture(scope="session")
def process_factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessFactory]:
    """Start a factory of router processes."""
    with start_process_factory(tmp_path_factory.mktemp("routers")) as made:
        yield made
