"""Transactions in a service's database, as the role that owns its tables."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from premium.errors import CommandError
from premium.profile import CHECK, Profile, ServiceName
from shared.basics.errors import Transient
from shared.platform import postgres
from shared.platform.postgres import Database, Tx

__all__ = ["now", "transaction"]


@asynccontextmanager
async def transaction(profile: Profile, service: ServiceName) -> AsyncIterator[Tx]:
    """Open a transaction in a service's database.

    Raises:
        CommandError: the profile names no database for it, or the database is unreachable.
    """
    db = Database(profile.dsn(service), service="premium", connections_max=1)
    try:
        await db.start()
        async with db.transaction() as tx:
            yield tx
    except Transient as e:
        raise CommandError(f"cannot reach {service}'s database: {e}; {CHECK}") from e
    finally:
        await db.stop()


async def now(profile: Profile) -> datetime:
    """Return the time of intake's database, by which intake judges requests."""
    async with transaction(profile, "intake") as tx:
        return await postgres.now(tx)
