"""Least privilege: a service reads and writes its rows, and can do nothing else."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from shared.testing.databases import FreshDatabase, MakeDatabase

FORBIDDEN = (
    "CREATE TABLE stolen ()",
    "CREATE SCHEMA stolen",
    "DROP TABLE processed_event",
    "ALTER TABLE processed_event ADD COLUMN stolen int",
    "TRUNCATE processed_event",
    "CREATE OR REPLACE FUNCTION premium_now() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
    "CREATE ROLE stolen",
)
CLAIM = "INSERT INTO processed_event (event_id) VALUES (gen_random_uuid())"
COUNT = "SELECT count(*) FROM processed_event"


@pytest.fixture
async def fresh(database: MakeDatabase) -> FreshDatabase:
    """Make a database of intake."""
    return await database("intake")


@pytest.fixture
async def service(fresh: FreshDatabase) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Connect as the service."""
    connection = await asyncpg.connect(fresh.dsn)
    yield connection
    await connection.close()


@pytest.mark.parametrize("statement", FORBIDDEN)
async def test_a_service_changes_no_structure(
    service: "asyncpg.Connection[asyncpg.Record]", statement: str
) -> None:
    """Tables, functions, schemas and roles belong to the owner and the administrator."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await service.execute(statement)


async def test_a_service_reads_and_writes_rows(
    service: "asyncpg.Connection[asyncpg.Record]",
) -> None:
    """All four statements, also on tables that were created after its role."""
    await service.execute(CLAIM)
    await service.execute("UPDATE processed_event SET claimed_at = premium_now()")
    assert await service.execute("DELETE FROM processed_event") == "DELETE 1"
    assert await service.fetchval(COUNT) == 0


async def test_a_test_has_its_database_alone(database: MakeDatabase) -> None:
    """One test does not see the rows of another."""
    written, other = await database("intake"), await database("intake")
    for fresh, count in ((written, 1), (other, 0)):
        connection = await asyncpg.connect(fresh.dsn)
        if fresh is written:
            await connection.execute(CLAIM)
        assert await connection.fetchval(COUNT) == count
        await connection.close()
