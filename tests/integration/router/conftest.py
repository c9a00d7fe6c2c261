"""What a storm comes to when nothing is in its way, and servers that may be killed in one."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.chaos.wrong import announced
from tests.integration.router.desk import in_process
from tests.integration.router.living import Nursery, nursery
from tests.integration.router.storm import STORM, End, keeping_books, play

from premium.stack import Stack
from shared.testing.databases import Databases, Provision


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
