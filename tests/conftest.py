"""Loads shared fixtures and Chromium, defines the local servers, and adds `--seeds`."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import settings

from devstack.databases import dsn_of, ensure_databases
from devstack.stack import Stack
from devstack.state import Memory
from shared.testing.databases import FreshDatabase, Provision
from shared.testing.servers import Servers

settings.register_profile("no-deadline", deadline=None)  # a busy machine is no fault
settings.load_profile("no-deadline")

pytest_plugins = ["shared.testing.plugin", "tests.browser.chromium"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of `make chaos` and `make calendars`."""
    parser.addoption("--seeds", type=int, default=1, help="seeds of what tests draw by lot")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise a test that has an argument `seed`."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption("--seeds")))


@pytest.fixture(scope="session")
def local_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Run PostgreSQL and Kafka in a local stack of its own."""
    stack = Stack(tmp_path_factory.mktemp("stack"))
    addresses = asyncio.run(stack.up(services=False))
    yield Servers(addresses.admin_dsn, addresses.kafka_bootstrap)
    asyncio.run(stack.down(wipe=True))


@pytest.fixture(scope="session")
def provision() -> Provision:
    """Create databases as the operator's command does, with least privilege."""

    async def make(admin_dsn: str, name: str) -> FreshDatabase:
        memory = Memory()
        memory.make_up_passwords((name, f"{name}_owner"))
        await ensure_databases(admin_dsn, memory, [name])
        return FreshDatabase(
            dsn=dsn_of(admin_dsn, memory, name, owner=False),
            owner_dsn=dsn_of(admin_dsn, memory, name, owner=True),
        )

    return make
