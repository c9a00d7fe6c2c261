"""A new database for each test, cloned in about 25 ms from a migrated template."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import count
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from shared.platform import migrations
from shared.platform.postgres import Database

__all__ = ["Databases", "FreshDatabase", "MakeDatabase", "Provision", "waits_for_a_lock"]

CLONE: Final = 'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER "{owner}"'
DROP: Final = 'DROP DATABASE "{name}" WITH (FORCE)'
DROP_ROLE: Final = 'DROP ROLE "{name}"'
WAITS: Final = """
    SELECT EXISTS (
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock')
"""


@dataclass(frozen=True, slots=True)
class FreshDatabase:
    """A database with its roles: ``dsn`` is the service's, ``owner_dsn`` owns the tables."""

    dsn: str
    owner_dsn: str

    @property
    def name(self) -> str:
        """The database's name on its server."""
        return urlsplit(self.dsn).path.removeprefix("/")

    @property
    def roles(self) -> tuple[str, str]:
        """The service's role, and the owner."""
        return urlsplit(self.dsn).username or "", urlsplit(self.owner_dsn).username or ""

    def renamed(self, name: str) -> "FreshDatabase":
        """Return another database with the same roles."""
        dsns = (
            urlsplit(dsn)._replace(path=f"/{name}").geturl() for dsn in (self.dsn, self.owner_dsn)
        )
        return FreshDatabase(*dsns)


type Provision = Callable[[str, str], Awaitable[FreshDatabase]]
"""Creates a database with its two roles; takes an administrator's DSN and the name."""

type MakeDatabase = Callable[[str], Awaitable[FreshDatabase]]
"""Makes a new database of a service; takes the name of its package."""


class Databases:
    """Clones databases from one template per service, which is created on first use."""

    def __init__(self, admin_dsn: str, provision: Provision) -> None:
        self._admin_dsn = admin_dsn
        self._provision = provision
        self._run = f"test_{uuid4().hex[:8]}"
        self._templates: dict[str, FreshDatabase] = {}
        self._numbers = count(1)

    async def clone(self, package: str) -> FreshDatabase:
        """Make an empty database with the tables of a service."""
        template = self._templates.get(package) or await self._make_template(package)
        fresh = template.renamed(f"{template.name}_{next(self._numbers)}")
        await self._execute(
            CLONE.format(name=fresh.name, template=template.name, owner=template.roles[1])
        )
        return fresh

    async def drop(self, databases: Iterable[FreshDatabase]) -> None:
        """Drop databases, even with open connections."""
        await self._execute(*(DROP.format(name=one.name) for one in databases))

    async def close(self) -> None:
        """Drop the templates and their roles."""
        templates = self._templates.values()
        await self.drop(templates)
        await self._execute(*(DROP_ROLE.format(name=r) for t in templates for r in t.roles))

    async def _make_template(self, package: str) -> FreshDatabase:
        template = await self._provision(self._admin_dsn, f"{self._run}_{package}")
        await migrations.apply(template.owner_dsn, package)
        self._templates[package] = template
        return template

    async def _execute(self, *statements: str) -> None:
        connection = await asyncpg.connect(self._admin_dsn)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


async def waits_for_a_lock(db: Database) -> bool:
    """Wait, at most ten seconds, until a transaction of this database waits for a lock."""
    async with asyncio.timeout(10), db.session() as session:
        while not await session.fetchval(WAITS):
            pass
    return True
