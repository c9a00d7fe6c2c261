"""Transactions in a service's database, as the role that owns its tables."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asyncpg import UndefinedTableError

from premium.errors import CommandError
from premium.profile import CHECK
from shared.basics.errors import Transient
from shared.platform.api_keys import Keyed
from shared.platform.postgres import Database, Tx

__all__ = ["transaction"]


@asynccontextmanager
async def transaction(dsn: str, service: Keyed) -> AsyncIterator[Tx]:
    """Open a transaction in a service's database.

    Raises:
        CommandError: the database is unreachable, or not migrated.
    """
    db = Database(dsn, service="premium", connections_max=1)
    try:
        await db.start()
        async with db.transaction() as tx:
            yield tx
    except Transient as e:
        raise CommandError(f"cannot reach {service}'s database: {e}; {CHECK}") from e
    except UndefinedTableError as e:
        raise CommandError(
            f"{service}'s database lacks tables: run `premium migrate {service}` first"
        ) from e
    finally:
        await db.stop()
