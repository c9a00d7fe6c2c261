"""A database for each service, with two roles: its owner, and the service, which owns nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote, urlsplit

import asyncpg

from devstack.state import SavedState
from premium.errors import CommandError

__all__ = ["ROLES", "dsn_of", "ensure_databases"]

DATABASES: Final = ("intake", "router", "sla_monitor", "notifier")

ROLES: Final = tuple(role for db in DATABASES for role in (f"{db}_owner", db))

_CONNECT_S: Final = 10

# These statements take no parameters: format() quotes names and passwords on the server.
_ROLE: Final = """
SELECT format(
    CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = $1)
         THEN 'ALTER' ELSE 'CREATE' END || ' ROLE %I LOGIN PASSWORD %L',
    $1::text, $2::text)
"""

_IDLE: Final = {"sla_monitor": "5s", "router": "10s"}
"""A process that hangs in a transaction blocks partitions, or all matching, so another must take
over soon. A router computes for a second or two at most within a transaction."""
_IDLE_ELSE: Final = "60s"
"""For the others: notifier's transactions wait for mail servers."""

_TRANSACTION: Final = {"sla_monitor": "20s", "router": "20s"}
"""The longest transaction (PostgreSQL 17 and later). The limit above does not apply to a client
that hangs between preparing a statement and executing it: the server counts it as active."""
_TRANSACTION_ELSE: Final = "10min"

_LIMITS: Final = """
ALTER ROLE "{db}_owner" SET search_path = public, pg_temp;
ALTER ROLE "{db}" SET search_path = public, pg_temp;
ALTER ROLE "{db}" SET statement_timeout = '30s';
ALTER ROLE "{db}" SET idle_in_transaction_session_timeout = '{idle}';
DO $$ BEGIN
    IF current_setting('server_version_num')::int >= 170000 THEN
        ALTER ROLE "{db}" SET transaction_timeout = '{whole}';
    END IF;
END $$;
GRANT "{db}_owner" TO CURRENT_USER;
"""

_EXISTS: Final = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"

_DATABASE: Final = 'CREATE DATABASE "{db}" OWNER "{db}_owner"'

_RIGHTS: Final = """
REVOKE ALL ON DATABASE "{db}" FROM PUBLIC;
GRANT CONNECT ON DATABASE "{db}" TO "{db}";
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO "{db}";
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "{db}";
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO "{db}";
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO "{db}";
"""


def _limits(db: str) -> str:
    idle, whole = _IDLE.get(db, _IDLE_ELSE), _TRANSACTION.get(db, _TRANSACTION_ELSE)
    return _LIMITS.format(db=db, idle=idle, whole=whole)


async def ensure_databases(
    admin_dsn: str, saved: SavedState, databases: Sequence[str] = DATABASES
) -> list[str]:
    """Create missing databases, set roles, rights and limits, and return the new names.

    The admin need not be a superuser, but must be able to create roles and databases.

    Raises:
        CommandError: PostgreSQL is unreachable, or refuses a statement.
    """
    new = []
    try:
        async with _connected(admin_dsn) as admin:
            for db in databases:
                for role in (f"{db}_owner", db):
                    await admin.execute(await admin.fetchval(_ROLE, role, saved.passwords[role]))
                await admin.execute(_limits(db))
                if not await admin.fetchval(_EXISTS, db):
                    await admin.execute(_DATABASE.format(db=db))
                    new.append(db)
        await asyncio.gather(*(_grant(admin_dsn, saved, db) for db in databases))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as e:
        raise CommandError(f"cannot make the databases: {e}") from e
    return new


def dsn_of(admin_dsn: str, saved: SavedState, db: str, *, owner: bool) -> str:
    """Return the DSN of a database on the admin's server, for its service or its owner."""
    role = f"{db}_owner" if owner else db
    server = urlsplit(admin_dsn)
    where = server.netloc.rpartition("@")[2]
    login = f"{role}:{quote(saved.passwords[role], safe='')}"
    return server._replace(netloc=f"{login}@{where}", path=f"/{db}").geturl()


async def _grant(admin_dsn: str, saved: SavedState, db: str) -> None:
    async with _connected(dsn_of(admin_dsn, saved, db, owner=True)) as owner:
        await owner.execute(_RIGHTS.format(db=db))


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn, timeout=_CONNECT_S)
    try:
        yield connection
    finally:
        await connection.close()
