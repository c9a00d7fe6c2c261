"""Plain SQL files, applied in the order of their names, each once, by the database's owner."""

import hashlib
from importlib.resources import files
from typing import Final

from shared.errors import Poison
from shared.postgres import Database, Tx

__all__ = ["apply", "check"]

_SHARED: Final = "shared"

TABLE: Final = """
    CREATE TABLE IF NOT EXISTS migration (
        name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
    )
"""
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('migrations'))"
APPLIED: Final = "SELECT name, sha256 FROM migration"
RECORD: Final = "INSERT INTO migration (name, sha256) VALUES ($1, $2)"
EXISTS: Final = "SELECT to_regclass('migration') IS NOT NULL"


async def apply(db: Database, package: str) -> list[str]:
    """Apply what is missing, all or nothing; the names applied come back.

    Raises Poison when a file that was applied before has changed since.
    """
    async with db.transaction() as tx:
        await tx.execute(LOCK)
        await tx.execute(TABLE)
        missing = await _missing(tx, package)
        for name, sql in missing.items():
            await tx.execute(sql)
            await tx.execute(RECORD, name, _sha256(sql))
    return list(missing)


async def check(db: Database, package: str) -> list[str]:
    """Name the migrations that a service would run without."""
    async with db.transaction() as tx:
        if not await tx.fetchval(EXISTS):
            return list(_files(package))
        return list(await _missing(tx, package))


async def _missing(tx: Tx, package: str) -> dict[str, str]:
    applied = {row["name"]: row["sha256"] for row in await tx.fetch(APPLIED)}
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
