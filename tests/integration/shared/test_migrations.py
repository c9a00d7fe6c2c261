"""Migrations on a real PostgreSQL: no time limits, one at a time, with progress, resumable."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from shared.basics.errors import Poison
from shared.platform import migrations
from shared.testing.databases import FreshDatabase, MakeDatabase

TABLE = "CREATE TABLE thing (name text)"
INDEX = "-- no transaction\nCREATE {}INDEX CONCURRENTLY IF NOT EXISTS thing_name ON thing (name)"
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'thing_name'::regclass"


class Package:
    """A package with migrations of its own, made for the test."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._migrations = folder / name / "migrations"
        self._migrations.mkdir(parents=True)
        (folder / name / "__init__.py").touch()

    def add(self, name: str, sql: str) -> str:
        """Write a file; return its recorded name."""
        (self._migrations / f"{name}.sql").write_text(sql)
        return f"{self.name}/{name}.sql"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Make a package that can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    return Package(tmp_path, f"migrated_{tmp_path.name.replace('-', '_')}")


@pytest.fixture
async def fresh(database: MakeDatabase) -> FreshDatabase:
    """Make a database with the common tables."""
    return await database("intake")


@pytest.fixture
async def owner(fresh: FreshDatabase) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Connect as the owner of its tables."""
    connection = await asyncpg.connect(fresh.owner_dsn)
    yield connection
    await connection.close()


type Owner = "asyncpg.Connection[asyncpg.Record]"


async def test_no_limit_stops_a_migration(
    fresh: FreshDatabase, owner: Owner, package: Package
) -> None:
    """Neither our time limits nor the role's apply."""
    role = fresh.roles[1]
    await owner.execute(f"ALTER ROLE \"{role}\" SET statement_timeout = '50ms'")
    await owner.execute(f"ALTER ROLE \"{role}\" SET transaction_timeout = '50ms'")
    name = package.add("0001_long", "SELECT pg_sleep(0.3)")
    try:
        assert await migrations.apply(fresh.owner_dsn, package.name) == [name]
    finally:  # the role is that of other tests, too
        await owner.execute(f'ALTER ROLE "{role}" RESET statement_timeout')
        await owner.execute(f'ALTER ROLE "{role}" RESET transaction_timeout')


async def test_an_index_is_built_while_others_write(
    fresh: FreshDatabase, owner: Owner, package: Package
) -> None:
    """CREATE INDEX CONCURRENTLY has a file of its own, and each file is applied once."""
    names = [package.add("0001_table", TABLE), package.add("0002_index", INDEX.format(""))]
    assert await migrations.apply(fresh.owner_dsn, package.name) == names
    assert await owner.fetchval(VALID) is True
    assert await migrations.apply(fresh.owner_dsn, package.name) == []


async def test_an_interrupted_index_is_built_again(
    fresh: FreshDatabase, owner: Owner, package: Package
) -> None:
    """An interrupted build leaves an invalid index, which is dropped first."""
    package.add("0001_table", TABLE)
    package.add("0001_things", "INSERT INTO thing VALUES ('a'), ('a')")
    name = package.add("0002_index", INDEX.format("UNIQUE "))
    with pytest.raises(Poison, match=name):
        await migrations.apply(fresh.owner_dsn, package.name)
    assert await owner.fetchval(VALID) is False
    await owner.execute("TRUNCATE thing")
    assert await migrations.apply(fresh.owner_dsn, package.name) == [name]
    assert await owner.fetchval(VALID) is True


async def test_files_before_a_failure_stay_applied(
    fresh: FreshDatabase, owner: Owner, package: Package
) -> None:
    """Each file is a transaction: the failing one is named and rolled back."""
    package.add("0001_table", TABLE)
    name = package.add("0002_bad", "INSERT INTO thing VALUES ('x'); SELECT 1 / 0")
    with pytest.raises(Poison, match=name):
        await migrations.apply(fresh.owner_dsn, package.name)
    assert await owner.fetchval("SELECT count(*) FROM thing") == 0
    package.add("0002_bad", "INSERT INTO thing VALUES ('x')")
    assert await migrations.apply(fresh.owner_dsn, package.name) == [name]


async def test_concurrent_migrations_run_one_after_the_other(
    fresh: FreshDatabase, package: Package
) -> None:
    """The second waits and finds all applied, also for an index that waits for snapshots."""
    names = [package.add("0001_table", TABLE), package.add("0002_index", INDEX.format(""))]
    both = (migrations.apply(fresh.owner_dsn, package.name) for _ in range(2))
    assert sorted(await asyncio.gather(*both)) == [[], names]


async def test_progress_is_reported(fresh: FreshDatabase, owner: Owner, package: Package) -> None:
    """The start and end of each file are reported, and what it waits for."""
    first = package.add("0001_table", TABLE)
    await migrations.apply(fresh.owner_dsn, package.name)
    second = package.add("0002_column", "ALTER TABLE thing ADD COLUMN more text")
    lines: list[str] = []
    waits = asyncio.Event()

    def report(line: str) -> None:
        lines.append(line)
        if "waits for" in line:
            waits.set()

    async with owner.transaction():
        await owner.execute("LOCK TABLE thing")
        migrating = asyncio.create_task(migrations.apply(fresh.owner_dsn, package.name, report))
        seen = asyncio.create_task(waits.wait())
        await asyncio.wait({migrating, seen}, return_when=asyncio.FIRST_COMPLETED)
        seen.cancel()
    assert await migrating == [second]
    assert lines[0] == f"[1/1] {second}"
    assert str(owner.get_server_pid()) in lines[1]
    assert lines[-1].startswith(f"[1/1] {second} took ")
    assert first not in str(lines)


@pytest.mark.parametrize(
    "command",
    [["-m", "premium", "migrate", "router"], ["-m", "router", "migrate"]],
    ids=["premium", "service"],
)
async def test_migrating_needs_only_a_dsn(database: MakeDatabase, command: list[str]) -> None:
    """A DSN is enough: no Kafka, no port, no other settings."""
    fresh = await database("router")
    emptied = await asyncpg.connect(fresh.owner_dsn)
    await emptied.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await emptied.close()
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, *command],
        env={"PATH": os.environ["PATH"], "ROUTER_DSN": fresh.owner_dsn},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "[2/2] router/0001_init.sql took" in done.stdout
