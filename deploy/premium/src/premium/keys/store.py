"""API keys in a service's database, as the role that owns its tables."""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from premium.errors import CommandError
from premium.profile import CHECK
from shared.platform.api_keys import ApiKey, Keyed, Scope, make_key

__all__ = [
    "BURST",
    "RATE_PER_S",
    "Grant",
    "Listed",
    "connected",
    "create",
    "listed",
    "own",
    "revoke",
    "rotate",
]

_CONNECT_S: Final = 10
RATE_PER_S: Final = 2_000
BURST: Final = 4_000

_FREE: Final = """
    UPDATE access_key SET revoked_at = expires_at
    WHERE tenant = $1 AND name = $2 AND revoked_at IS NULL AND expires_at <= now()
"""
_CREATE: Final = """
    INSERT INTO access_key (
        prefix, digest, tenant, name, slot, scopes, rate_per_s, burst, expires_at)
    SELECT $1, $2, $3, $4, 1, $5, $6, $7, now() + make_interval(days => $8)
    WHERE NOT EXISTS (
        SELECT FROM access_key WHERE tenant = $3 AND name = $4 AND revoked_at IS NULL)
    ON CONFLICT DO NOTHING RETURNING prefix
"""
_ROTATE: Final = """
    INSERT INTO access_key (
        prefix, digest, tenant, name, slot, scopes, rate_per_s, burst, expires_at)
    SELECT $1, $2, tenant, name, 3 - slot, scopes, rate_per_s, burst,
           now() + (expires_at - created_at)
    FROM access_key WHERE tenant = $3 AND name = $4 AND revoked_at IS NULL
    ORDER BY created_at DESC LIMIT 1
    ON CONFLICT DO NOTHING RETURNING prefix
"""
_OLDEST: Final = """
    SELECT prefix, created_at FROM access_key
    WHERE tenant = $1 AND name = $2 AND revoked_at IS NULL ORDER BY created_at LIMIT 1
"""
_REVOKE: Final = """
    UPDATE access_key SET revoked_at = now() WHERE prefix = $1 AND revoked_at IS NULL
    RETURNING prefix
"""
_OWN: Final = "INSERT INTO source_owner (source, tenant) VALUES ($1, $2) ON CONFLICT DO NOTHING"
_OWNER: Final = "SELECT tenant FROM source_owner WHERE source = $1"
_ACT_FOR: Final = """
    INSERT INTO specialist_voice (specialist_id, tenant) VALUES ($1, $2) ON CONFLICT DO NOTHING
"""
_LIMIT: Final = "UPDATE access_key SET accounts = $2 WHERE prefix = $1"
_COPY_LIMIT: Final = """
    UPDATE access_key AS new SET accounts = old.accounts FROM access_key AS old
    WHERE new.prefix = $1 AND (old.tenant, old.name) = (new.tenant, new.name)
      AND old.prefix <> new.prefix AND old.revoked_at IS NULL
"""
_OWNED: Final[Mapping[Keyed, str]] = {
    "sla-monitor": "SELECT prefix, unnest(coalesce(accounts, '{*}')) FROM access_key",
    "intake": "SELECT tenant, source FROM source_owner ORDER BY source",
    "router": "SELECT tenant, specialist_id FROM specialist_voice ORDER BY specialist_id",
}
_LIST: Final = """
    SELECT prefix, tenant, name, scopes, created_at, expires_at, last_used_at,
           CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
                WHEN expires_at <= now() THEN 'expired' ELSE 'in force' END AS state
    FROM access_key ORDER BY tenant, name, created_at
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a new key permits."""

    tenant: str
    name: str
    scopes: Sequence[Scope]
    owned: Sequence[str] = ()
    """What the tenant gets: sources at intake, specialists for whom it may act at router.

    At sla-monitor, the accounts to which the key is limited; none: it may read all.
    """
    days: int | None = None
    """Expires after so many days; None: never."""
    rate_per_s: int = RATE_PER_S
    burst: int = BURST
    service: Keyed = "intake"


@dataclass(frozen=True, slots=True)
class Listed:
    """A stored key, without its secret."""

    prefix: str
    tenant: str
    name: str
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    state: str
    owned: Sequence[str]


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Open a transaction as the owner. Raises CommandError if the database fails in any way."""
    try:
        connection = await asyncpg.connect(dsn, timeout=_CONNECT_S)
        try:
            async with connection.transaction():
                yield connection
        finally:
            await connection.close()
    except asyncpg.UndefinedTableError as e:
        raise CommandError(
            "this database has no table of keys: run `premium migrate` for its service"
        ) from e
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as e:
        raise CommandError(f"cannot reach the database: {e}; {CHECK}") from e


async def create(connection: asyncpg.Connection, grant: Grant) -> ApiKey:
    """Make a key, and give its tenant what the grant names.

    Raises:
        CommandError: the name is taken, or a source belongs to another tenant.
    """
    for owned in grant.owned if grant.service != "sla-monitor" else ():
        await own(connection, grant.service, grant.tenant, owned)
    await connection.execute(_FREE, grant.tenant, grant.name)
    key = make_key()
    what = (grant.tenant, grant.name, grant.scopes, grant.rate_per_s, grant.burst, grant.days)
    if await connection.fetchval(_CREATE, key.prefix, key.digest, *what) is None:
        raise CommandError(
            f"{grant.tenant} has a key {grant.name}: choose another name, or replace it with"
            f" `premium keys rotate {grant.tenant} {grant.name} --service {grant.service}`"
        )
    if grant.service == "sla-monitor" and grant.owned:
        await connection.execute(_LIMIT, key.prefix, sorted(grant.owned))
    return key


async def own(connection: asyncpg.Connection, service: Keyed, tenant: str, what: str) -> None:
    """Give a tenant a source, or a specialist for whom it may act.

    Raises:
        CommandError: the source belongs to another tenant.
    """
    if service == "router":
        await connection.execute(_ACT_FOR, what, tenant)
        return
    await connection.execute(_OWN, what, tenant)
    owner = await connection.fetchval(_OWNER, what)
    if owner != tenant:
        raise CommandError(f"the source {what} is {owner}'s: a source belongs to one tenant")


async def rotate(
    connection: asyncpg.Connection, tenant: str, name: str, service: Keyed = "intake"
) -> ApiKey:
    """Make a second key like the one in force; both are valid until one is revoked.

    Raises:
        CommandError: no key of that name is in force, or two are.
    """
    await connection.execute(_FREE, tenant, name)
    key = make_key()
    if await connection.fetchval(_ROTATE, key.prefix, key.digest, tenant, name) is not None:
        if service == "sla-monitor":
            await connection.execute(_COPY_LIMIT, key.prefix)
        return key
    if (oldest := await connection.fetchrow(_OLDEST, tenant, name)) is not None:
        raise CommandError(
            f"two keys {name} of {tenant} are in force: revoke the old one first, made"
            f" {oldest['created_at']:%Y-%m-%d %H:%M}, with `premium keys revoke {oldest['prefix']}"
            f" --service {service}`"
        )
    raise CommandError(f"{tenant} has no key {name} in force: make one with `premium keys create`")


async def revoke(connection: asyncpg.Connection, prefix: str) -> None:
    """Revoke a key: it is refused within a second. Raises CommandError if it is not in force."""
    if await connection.fetchval(_REVOKE, prefix) is None:
        raise CommandError(f"no key {prefix} is in force: see `premium keys list`")


async def listed(connection: asyncpg.Connection, service: Keyed) -> list[Listed]:
    """Read all keys, revoked and expired ones included."""
    owned = defaultdict(list)
    for holder, what in await connection.fetch(_OWNED[service]):
        owned[holder].append(what)
    rows = await connection.fetch(_LIST)
    holder = "prefix" if service == "sla-monitor" else "tenant"
    return [Listed(**row, owned=owned[row[holder]]) for row in rows]
