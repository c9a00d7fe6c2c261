"""Links into the inbox that are valid while a demo runs."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

from premium.profile import Profile
from shared.basics.clock import wait_at_most
from shared.basics.errors import Transient
from shared.platform.postgres import Database
from shared.web import store
from shared.web.paths import LINK
from shared.web.visitors import Person

__all__ = ["kept_links"]

_RENEW_S: Final = 1.0


@asynccontextmanager
async def kept_links(
    profile: Profile, people: Iterable[Person]
) -> AsyncIterator[Mapping[Person, str]]:
    """Make links that sign their person in any number of times, until the block ends.

    Each is renewed every second; if this process is killed, they expire like any other link.
    Raises Transient if router's database is unreachable at the start.
    """
    links = {secrets.token_urlsafe(32): person for person in people}
    db = Database(profile.dsn("router"), service="premium", connections_max=1)
    try:
        await db.start()
        await _renew(db, links)
        renewing = asyncio.create_task(_keep(db, links), name="links")
        try:
            place = f"{profile.url('router')}{LINK}"
            yield {person: f"{place}/{secret}" for secret, person in links.items()}
        finally:
            renewing.cancel()
            with suppress(Transient):
                await _end(db, links)
    finally:
        await db.stop()


async def _keep(db: Database, links: Mapping[str, Person]) -> None:
    while True:
        await wait_at_most(asyncio.Event().wait(), _RENEW_S)
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
