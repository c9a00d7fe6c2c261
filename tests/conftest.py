"""Loads the fixtures of `shared.testing`, and lends them the local stack."""

import asyncio
from collections.abc import Iterator

import pytest

from premium.stack import Stack
from premium.stack.databases import dsn_of, ensure_databases
from premium.stack.state import Memory
from shared.testing.databases import FreshDatabase, Provision
from shared.testing.servers import Servers

pytest_plugins = ["shared.testing.plugin"]


@pytest.fixture(scope="session")
def local_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Run the two servers of a local stack of its own."""
    stack = Stack(tmp_path_factory.mktemp("stack"))
    addresses = asyncio.run(stack.up(services=False))
    yield Servers(addresses.admin_dsn, addresses.kafka_bootstrap)
    asyncio.run(stack.down(wipe=True))


@pytest.fixture(scope="session")
def provision() -> Provision:
    """Make databases just as the operator's command makes them, least privilege included."""

    async def make(admin_dsn: str, name: str) -> FreshDatabase:
        memory = Memory()
        memory.make_up_passwords((name, f"{name}_owner"))
        await ensure_databases(admin_dsn, memory, [name])
        return FreshDatabase(
            dsn=dsn_of(admin_dsn, memory, name, owner=False),
            owner_dsn=dsn_of(admin_dsn, memory, name, owner=True),
        )

    return make
