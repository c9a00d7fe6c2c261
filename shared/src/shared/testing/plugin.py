"""Pytest fixtures: real servers, a fresh database a test, and topics of its own.

Two fixtures are given by the project's conftest, since what they need is no part of `shared`:
``local_servers`` (the local stack) and ``provision`` (a database with its two roles, made the
way the operator's command makes it).
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

_CHOICE: Final = pytest.StashKey[Choice]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep each run's files apart, and show logs with plain tracebacks.

    Runs of one user share a folder by default, and each that begins closes it to the server's
    user. Drawing every local variable of a traceback takes seconds a piece.
    """
    if not config.option.basetemp:
        own = Path(tempfile.mkdtemp(prefix="premium-tests-"))
        config.option.basetemp = str(own / "run")
        config.add_cleanup(lambda: shutil.rmtree(own, ignore_errors=True))
    plain = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(processors=[structlog.processors.add_log_level, plain])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Choose the servers before the first test, if any test asks for them."""
    if any("servers" in getattr(item, "fixturenames", ()) for item in session.items):
        try:
            session.config.stash[_CHOICE] = choose()
        except UnusableServersError as e:
            raise pytest.UsageError(str(e)) from None


def pytest_report_collectionfinish(config: pytest.Config) -> str:
    """Say which servers were chosen."""
    choice = config.stash.get(_CHOICE, None)
    return "servers: none needed" if choice is None else str(choice)


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """Run, or find, a PostgreSQL and a Kafka. That there is none is a failure, never a skip."""
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
    """Start the local stack; the project's conftest says how."""
    raise NotImplementedError


@pytest.fixture(scope="session")
def provision() -> Provision:
    """Make a database with its roles; the project's conftest says how."""
    raise NotImplementedError


@pytest.fixture(scope="session")
def databases(servers: Servers, provision: Provision) -> Iterator[Databases]:
    """Keep a migrated template for each service."""
    made = Databases(servers.postgres_dsn, provision)
    yield made
    asyncio.run(made.close())


@pytest.fixture
async def database(
    databases: Databases,
) -> AsyncIterator[MakeDatabase]:
    """Make fresh databases: called with "intake", one that has intake's tables, empty."""
    made: list[FreshDatabase] = []

    async def make(package: str) -> FreshDatabase:
        made.append(await databases.clone(package))
        return made[-1]

    yield make
    await databases.drop(made)


@pytest.fixture
async def topics(servers: Servers) -> AsyncIterator[Topics]:
    """Give topics of the test's own; services and tests use them by the same prefix."""
    made = Topics(servers.kafka_bootstrap, prefix=f"test-{uuid4().hex[:8]}.")
    yield made
    await made.close()
