"""Loads shared fixtures and Chromium, lends them the local stack, and takes `--seeds`."""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    """Let `make chaos` and `make calendars` ask for more."""
    parser.addoption("--seeds", type=int, default=1, help="seeds of what tests draw by lot")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that wants a seed once for each."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(metafunc.config.getoption("--seeds")))


@pytest.fixture(scope="session")
def local_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Run the two servers of a local stack of its own; the workers of one run share them."""
    folder = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        folder = folder.parent
    stack = Stack(folder / "servers")
    with _count_users(folder / "servers.users", change=1):
        addresses = asyncio.run(stack.up(services=False))
    yield Servers(addresses.admin_dsn, addresses.kafka_bootstrap)
    with _count_users(folder / "servers.users", change=-1) as users:
        if users == 0:
            asyncio.run(stack.down(wipe=True))


@contextmanager
def _count_users(file: Path, *, change: int) -> Iterator[int]:
    """Change the number of workers that use the servers, alone among them; yield it."""
    with file.open("a+") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        opened.seek(0)
        users = int(opened.read() or 0) + change
        yield users
        opened.truncate(0)
        opened.write(str(users))


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
