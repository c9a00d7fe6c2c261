"""API keys for tests, made in a service's database as the owner of its tables."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from shared.platform.access import store
from shared.platform.admin_api import NewKey
from shared.platform.api_keys import EVERY, SCOPES, ApiKey, Keyed, make_key

__all__ = ["connected", "new_key"]


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Open a transaction."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            yield connection
    finally:
        await connection.close()


async def new_key(  # noqa: PLR0913 - what a key permits
    owner_dsn: str,
    service: Keyed,
    *,
    tenant: str = "northwind",
    name: str = "test",
    scopes: Sequence[str] | None = None,
    owned: Sequence[str] = (EVERY,),
    rate_per_s: int = 1_000,
    burst: int = 1_000,
) -> ApiKey:
    """Make a key, by default with all scopes and for everything."""
    new = NewKey(
        tenant=tenant,
        name=name,
        scopes=list[str](SCOPES[service] if scopes is None else scopes),
        owned=list(owned),
        rate_per_s=rate_per_s,
        burst=burst,
    )
    key = make_key()
    async with connected(owner_dsn) as tx:
        await store.create(tx, service, new, key)
    return key
