"""Personal links into router's inbox, made as the owner of its database."""

from typing import Final

from premium.stack.addresses import Addresses
from premium.stack.errors import StackError
from shared.errors import Transient
from shared.postgres import Database
from shared.web import store
from shared.web.paths import LINK
from shared.web.visitors import Person

__all__ = ["inbox_link", "is_listed"]

_LISTED: Final = "SELECT EXISTS (SELECT FROM specialist WHERE specialist_id = $1 AND NOT removed)"


async def inbox_link(addresses: Addresses, person: Person) -> str:
    """Make a link that lets somebody in once, within 15 minutes. Raises StackError."""
    db = _router(addresses)
    try:
        await db.start()
        async with db.transaction() as tx:
            secret = await store.make_link(tx, person)
    except Transient as e:
        raise StackError(f"cannot reach router's database: {e}; run `premium up`") from e
    finally:
        await db.stop()
    return f"{addresses.http('router')}{LINK}/{secret}"


async def is_listed(addresses: Addresses, name: str) -> bool:
    """Tell whether router has somebody on its roster. Raises StackError."""
    db = _router(addresses)
    try:
        await db.start()
        async with db.transaction() as tx:
            return bool(await tx.fetchval(_LISTED, name))
    except Transient as e:
        raise StackError(f"cannot reach router's database: {e}; run `premium up`") from e
    finally:
        await db.stop()


def _router(addresses: Addresses) -> Database:
    return Database(addresses.dsn("router", owner=True), service="premium", connections_max=1)
