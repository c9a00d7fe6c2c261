"""Personal links into router's inbox, made as the owner of its database."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

from premium.stack.addresses import Addresses
from premium.stack.errors import StackError
from shared.basics.clock import or_after
from shared.basics.errors import Transient
from shared.platform.postgres import Database, Tx
from shared.web import store
from shared.web.paths import LINK
from shared.web.visitors import Person

__all__ = ["inbox_link", "is_listed", "kept_links"]

_LISTED: Final = "SELECT EXISTS (SELECT FROM specialist WHERE specialist_id = $1 AND NOT removed)"
_RENEW_S: Final = 1.0


async def inbox_link(addresses: Addresses, person: Person) -> str:
    """Make a link that lets somebody in once, within 15 minutes. Raises StackError."""
    async with _transaction(addresses) as tx:
        return _address(addresses, await store.make_link(tx, person))


async def is_listed(addresses: Addresses, name: str) -> bool:
    """Tell whether router has somebody on its roster. Raises StackError."""
    async with _transaction(addresses) as tx:
        return bool(await tx.fetchval(_LISTED, name))


@asynccontextmanager
async def kept_links(
    addresses: Addresses, people: Iterable[Person]
) -> AsyncIterator[Mapping[Person, str]]:
    """Make links that admit their person any number of times, until the block ends.

    Each is renewed every second: if this process is killed, its links expire as any other link
    does. Raises Transient while router's database is away at the start.
    """
    links = {secrets.token_urlsafe(32): person for person in people}
    db = _database(addresses)
    try:
        await db.start()
        await _renew(db, links)
        renewing = asyncio.create_task(_keep(db, links), name="links")
        try:
            yield {person: _address(addresses, secret) for secret, person in links.items()}
        finally:
            renewing.cancel()
            with suppress(Transient):
                await _end(db, links)
    finally:
        await db.stop()


async def _keep(db: Database, links: Mapping[str, Person]) -> None:
    while True:
        await or_after(asyncio.Event().wait(), _RENEW_S)
        with suppress(Transient):
            await _renew(db, links)


async def _renew(db: Database, links: Mapping[str, Person]) -> None:
    async with db.transaction() as tx:
        for secret, person in links.items():
            await store.make_link(tx, person, secret)


async def _end(db: Database, links: Iterable[str]) -> None:
    async with db.transaction() as tx:
        for secret in links:
            await store.use_link(tx, secret)


@asynccontextmanager
async def _transaction(addresses: Addresses) -> AsyncIterator[Tx]:
    """Begin one in router's database. Raises StackError where it cannot be reached."""
    db = _database(addresses)
    try:
        await db.start()
        async with db.transaction() as tx:
            yield tx
    except Transient as e:
        raise StackError(f"cannot reach router's database: {e}; run `premium up`") from e
    finally:
        await db.stop()


def _database(addresses: Addresses) -> Database:
    return Database(addresses.dsn("router", owner=True), service="premium", connections_max=1)


def _address(addresses: Addresses, secret: str) -> str:
    return f"{addresses.http('router')}{LINK}/{secret}"
