"""Pytest fixtures: real servers, and a new database and new topics for each test.

The project's conftest defines two fixtures that need code outside of `shared`: ``local_servers``
(the local stack) and ``provision`` (creates a database with its two roles, as the operator's
command does).
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
import structlog

from shared.testing import containers
from shared.testing.databases import Databases, FreshDatabase, MakeDatabase, Provision
from shared.testing.servers import Choice, Servers, UnusableServersError, choose, from_environment
from shared.testing.topics import Topics

__all__ = [
    "database",
    "databases",
    "local_servers",
    "provision",
    "pytest_collection_finish",
    "pytest_configure",
    "pytest_report_collectionfinish",
    "servers",
    "topics",
]

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a private folder in it
_MEMORY_FREE_BYTES_MIN: Final = 8 * 2**30
_CHOICE: Final = pytest.StashKey[Choice]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Use a separate folder for each run's files, and plain tracebacks in logs.

    By default, runs of one user share a folder, and each new run removes the permissions of the
    database server's user. Tracebacks with local variables take seconds to render.
    """
    if not config.option.basetemp:
        own = Path(tempfile.mkdtemp(prefix="premium-tests-", dir=_folder_in_memory()))
        config.option.basetemp = str(own / "run")
        config.add_cleanup(lambda: shutil.rmtree(own, ignore_errors=True))
    plain = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(processors=[structlog.processors.add_log_level, plain])


def _folder_in_memory() -> str | None:
    """Return a folder in memory if much is free: there a database is created three times as fast.

    Tests end servers by SIGKILL, never a machine, so nothing depends on a disk.
    """
    if not _MEMORY.is_dir() or shutil.disk_usage(_MEMORY).free < _MEMORY_FREE_BYTES_MIN:
        return None
    return str(_MEMORY)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Choose the servers before the first test, if any test needs them."""
    if any("servers" in getattr(item, "fixturenames", ()) for item in session.items):
        try:
            session.config.stash[_CHOICE] = choose()
        except UnusableServersError as e:
            raise pytest.UsageError(str(e)) from None


def pytest_report_collectionfinish(config: pytest.Config) -> str:
    """Report which servers were chosen."""
    choice = config.stash.get(_CHOICE, None)
    return "servers: none needed" if choice is None else str(choice)


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """Start or find PostgreSQL and Kafka. Without these servers tests fail; none is skipped."""
    match request.config.stash[_CHOICE].back_end:
        case "env":
            yield from_environment()
        case "containers":
            with containers.started() as servers:
                yield Servers(*servers)
        case "local":
            yield request.getfixturevalue("local_servers")


@pytest.fixture(scope="session")
def local_servers() -> Servers:
    """Start the local stack; defined by the project's conftest."""
    raise NotImplementedError


@pytest.fixture(scope="session")
def provision() -> Provision:
    """Create a database with its roles; defined by the project's conftest."""
    raise NotImplementedError


@pytest.fixture(scope="session")
def databases(servers: Servers, provision: Provision) -> Iterator[Databases]:
    """Manage a migrated template for each service."""
    made = Databases(servers.postgres_dsn, provision)
    yield made
    asyncio.run(made.close())


@pytest.fixture
async def database(
    databases: Databases,
) -> AsyncIterator[MakeDatabase]:
    """Make new databases: called with "intake", an empty one with intake's tables."""
    made: list[FreshDatabase] = []

    async def make(package: str) -> FreshDatabase:
        made.append(await databases.clone(package))
        return made[-1]

    yield make
    await databases.drop(made)


@pytest.fixture
async def topics(servers: Servers) -> AsyncIterator[Topics]:
    """Make topics for one test; services and the test use the same prefix."""
    made = Topics(servers.kafka_bootstrap, prefix=f"test-{uuid4().hex[:8]}.")
    yield made
    await made.close()
