"""Sign-in links, in router's database."""

from typing import Final

from premium.database import transaction
from premium.errors import CommandError
from premium.profile import Profile
from shared.platform.postgres import Database
from shared.web import store
from shared.web.paths import LINK
from shared.web.visitors import Person

__all__ = ["inbox_link", "is_listed", "link_address", "link_database"]

_LISTED: Final = "SELECT EXISTS (SELECT FROM specialist WHERE specialist_id = $1 AND NOT removed)"


async def inbox_link(profile: Profile, person: Person) -> str:
    """Make a link that signs a person in once, within 15 minutes.

    Raises:
        CommandError: the person is not on the roster, or router's database is unreachable.
    """
    async with transaction(profile, "router") as tx:
        if not await tx.fetchval(_LISTED, person.name):
            raise CommandError(f"{person.name} is not on the roster: see `premium roster import`")
        return link_address(profile, await store.make_link(tx, person))


async def is_listed(profile: Profile, name: str) -> bool:
    """Return whether router lists a specialist. Raises CommandError without router's database."""
    async with transaction(profile, "router") as tx:
        return bool(await tx.fetchval(_LISTED, name))


def link_address(profile: Profile, secret: str) -> str:
    """Return the URL of a link."""
    return f"{profile.url('router')}{LINK}/{secret}"


def link_database(profile: Profile) -> Database:
    """Return router's database, not yet connected."""
    return Database(profile.dsn("router"), service="premium", connections_max=1)
