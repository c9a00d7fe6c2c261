"""Plain SQL files, applied in the order of their names, each once, by the database's owner.

Each file is a transaction with the record of it, without a time limit. One whose first line is
``-- no transaction`` holds a single statement that PostgreSQL takes in none, such as CREATE INDEX
CONCURRENTLY IF NOT EXISTS, and may be run again after it broke off.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from shared.basics.clock import elapsed_s, wait_at_most
from shared.basics.errors import Poison
from shared.platform.migrations.progress import watched
from shared.platform.postgres import UNAVAILABLE, Database, transient_if_unavailable

if TYPE_CHECKING:
    from asyncpg.connection import Connection

__all__ = ["apply", "check"]

_SHARED: Final = "shared.platform"
_CONNECT_S: Final = 5
_TURN_S: Final = 0.5
_APART: Final = "-- no transaction"
_INDEX: Final = re.compile(
    r"\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS\s+(\w+)"
)

UNLIMITED: Final = """
    SELECT set_config(name, '0', false) FROM pg_settings
    WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout',
                   'idle_in_transaction_session_timeout', 'idle_session_timeout')
"""
TABLE: Final = """
    CREATE TABLE IF NOT EXISTS migration (
        name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
    )
"""
LOCK: Final = "SELECT pg_try_advisory_lock(hashtext('migrations'))"
"""Asked again and again: who waited in it would have a snapshot, for whose end an index waits."""
APPLIED: Final = "SELECT name, sha256 FROM migration"
RECORD: Final = "INSERT INTO migration (name, sha256) VALUES ($1, $2)"
EXISTS: Final = "SELECT to_regclass('migration') IS NOT NULL"
UNFINISHED: Final = """
    SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid)
"""
DROP_INDEX: Final = 'DROP INDEX CONCURRENTLY "{name}"'

type Report = Callable[[str], None]
"""Takes a line of what is being done."""


async def apply(dsn: str, package: str, say: Report = lambda _: None) -> list[str]:
    """Apply what is missing, one file after another; the names applied come back.

    Another that migrates the same database is waited for. Raises Poison for a file that fails, or
    that was applied as another text; what came before it is done. Raises Transient while the
    server is away.
    """
    with transient_if_unavailable("PostgreSQL"):
        async with _alone(dsn, say) as connection:
            await connection.execute(TABLE)
            missing = _missing(await connection.fetch(APPLIED), package)
            for number, (name, sql) in enumerate(missing.items(), 1):
                say(f"[{number}/{len(missing)}] {name}")
                began = elapsed_s()
                async with watched(dsn, connection.get_server_pid(), say):
                    await _apply(connection, name, sql)
                say(f"[{number}/{len(missing)}] {name} took {elapsed_s(began):.1f} s")
    return list(missing)


async def check(db: Database, package: str) -> list[str]:
    """Name the migrations that a service would run without."""
    async with db.transaction() as tx:
        if not await tx.fetchval(EXISTS):
            return list(_files(package))
        return list(_missing(await tx.fetch(APPLIED), package))


@asynccontextmanager
async def _alone(dsn: str, say: Report) -> "AsyncIterator[Connection[asyncpg.Record]]":
    """Connect without a time limit, and be the only one who migrates."""
    connection = await asyncpg.connect(dsn, timeout=_CONNECT_S, statement_cache_size=0)
    try:
        await connection.execute(UNLIMITED)
        if not await connection.fetchval(LOCK):
            say("another migration runs here: waiting for it")
            while not await connection.fetchval(LOCK):
                await wait_at_most(asyncio.Event().wait(), _TURN_S)
        yield connection
    finally:
        connection.terminate()


async def _apply(connection: "Connection[asyncpg.Record]", name: str, sql: str) -> None:
    try:
        if sql.startswith(_APART):
            await _drop_unfinished(connection, sql)
            await connection.execute(sql)
            await connection.execute(RECORD, name, _sha256(sql))
        else:
            async with connection.transaction():
                await connection.execute(sql)
                await connection.execute(RECORD, name, _sha256(sql))
    except asyncpg.PostgresError as e:
        if isinstance(e, UNAVAILABLE):
            raise
        raise Poison("failed_migration", f"{name}: {e}; nothing of it is in force") from e


async def _drop_unfinished(connection: "Connection[asyncpg.Record]", sql: str) -> None:
    """Drop the index that a try that broke off has left: it counts as there, and is of no use."""
    for index in _INDEX.findall(sql):
        if await connection.fetchval(UNFINISHED, index):
            await connection.execute(DROP_INDEX.format(name=index))


def _missing(rows: list[Any], package: str) -> dict[str, str]:
    applied = {row["name"]: row["sha256"] for row in rows}
    missing = {}
    for name, sql in _files(package).items():
        if name not in applied:
            missing[name] = sql
        elif applied[name] != _sha256(sql):
            raise Poison("changed_migration", f"{name} was applied as another text; add a new file")
    return missing


def _files(package: str) -> dict[str, str]:
    return {
        f"{owner}/{file.name}": file.read_text()
        for owner in (_SHARED, package)
        for file in sorted((files(owner) / "migrations").iterdir(), key=lambda f: f.name)
        if file.name.endswith(".sql")
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
