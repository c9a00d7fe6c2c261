"""Applies SQL files in the order of their names, each once, as the database's owner.

Each file runs in one transaction, together with the row that records it, without a time limit. A
file whose first line is ``-- no transaction`` holds a single statement that cannot run in one, such
as CREATE INDEX CONCURRENTLY IF NOT EXISTS, and that can be run again after an interruption.
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
_NO_TRANSACTION: Final = "-- no transaction"
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
"""Polled: a session that waits inside a lock call holds a snapshot, which blocks CREATE INDEX
CONCURRENTLY until it ends."""
APPLIED: Final = "SELECT name, sha256 FROM migration"
RECORD: Final = "INSERT INTO migration (name, sha256) VALUES ($1, $2)"
EXISTS: Final = "SELECT to_regclass('migration') IS NOT NULL"
UNFINISHED: Final = """
    SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid)
"""
DROP_INDEX: Final = 'DROP INDEX CONCURRENTLY "{name}"'

type Report = Callable[[str], None]
"""Receives progress messages, a line each."""


async def apply(dsn: str, package: str, report: Report = lambda _: None) -> list[str]:
    """Apply the files that the database lacks, one after another; return their names.

    Waits while another process migrates the same database. Files before a failing one stay applied.

    Raises:
        Poison: a file fails, or an applied file has changed since.
        Transient: the server is unavailable.
    """
    with transient_if_unavailable("PostgreSQL"):
        async with _alone(dsn, report) as connection:
            await connection.execute(TABLE)
            missing = _missing(await connection.fetch(APPLIED), package)
            for number, (name, sql) in enumerate(missing.items(), 1):
                report(f"[{number}/{len(missing)}] {name}")
                began = elapsed_s()
                async with watched(dsn, connection.get_server_pid(), report):
                    await _apply(connection, name, sql)
                report(f"[{number}/{len(missing)}] {name} took {elapsed_s(began):.1f} s")
    return list(missing)


async def check(db: Database, package: str) -> list[str]:
    """Return the names of the migrations that are not applied."""
    async with db.transaction() as tx:
        if not await tx.fetchval(EXISTS):
            return list(_files(package))
        return list(_missing(await tx.fetch(APPLIED), package))


@asynccontextmanager
async def _alone(dsn: str, report: Report) -> "AsyncIterator[Connection[asyncpg.Record]]":
    """Connect without time limits; wait for the lock of migrations, and hold it in the block."""
    connection = await asyncpg.connect(dsn, timeout=_CONNECT_S, statement_cache_size=0)
    try:
        await connection.execute(UNLIMITED)
        if not await connection.fetchval(LOCK):
            report("another migration runs here: waiting for it")
            while not await connection.fetchval(LOCK):
                await wait_at_most(asyncio.Event().wait(), _TURN_S)
        yield connection
    finally:
        connection.terminate()


async def _apply(connection: "Connection[asyncpg.Record]", name: str, sql: str) -> None:
    try:
        if sql.startswith(_NO_TRANSACTION):
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
    """Drop an invalid index that an interrupted attempt left: IF NOT EXISTS would accept it."""
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
            raise Poison(
                "changed_migration", f"{name} was changed after it was applied; add a file"
            )
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
