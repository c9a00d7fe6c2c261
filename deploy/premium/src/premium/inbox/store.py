"""Personal links into router's inbox, made as the owner of its database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from premium.errors import CommandError
from premium.profile import CHECK, Profile
from shared.basics.errors import Transient
from shared.platform.postgres import Database, Tx
from shared.web import store
from shared.web.paths import LINK
from shared.web.visitors import Person

__all__ = ["inbox_link", "is_listed", "link_address", "link_database"]

_LISTED: Final = "SELECT EXISTS (SELECT FROM specialist WHERE specialist_id = $1 AND NOT removed)"


async def inbox_link(profile: Profile, person: Person) -> str:
    """Make a link that admits a person once, within 15 minutes. Raises CommandError."""
    async with _transaction(profile) as tx:
        return link_address(profile, await store.make_link(tx, person))


async def is_listed(profile: Profile, name: str) -> bool:
    """Return whether router has a specialist on its roster. Raises CommandError."""
    async with _transaction(profile) as tx:
        return bool(await tx.fetchval(_LISTED, name))


def link_address(profile: Profile, secret: str) -> str:
    """Return the URL of a link."""
    return f"{profile.url('router')}{LINK}/{secret}"


def link_database(profile: Profile) -> Database:
    """Return router's database, not yet connected."""
    return Database(profile.dsn("router"), service="premium", connections_max=1)


@asynccontextmanager
async def _transaction(profile: Profile) -> AsyncIterator[Tx]:
    """Begin one in router's database. Raises CommandError where it cannot be reached."""
    db = link_database(profile)
    try:
        await db.start()
        async with db.transaction() as tx:
            yield tx
    except Transient as e:
        raise CommandError(f"cannot reach router's database: {e}; {CHECK}") from e
    finally:
        await db.stop()
