"""The SQL about API keys.

It uses the server's clock, not `premium_now()`: keys must not expire early in a demo that runs a
business day in a minute.
"""

from collections.abc import Collection, Sequence
from typing import Final

from shared.platform.access.keys import Key
from shared.platform.access.limits import Rate
from shared.platform.admin_api import KeyInfo, NewKey
from shared.platform.api_keys import EVERY, ApiKey, Keyed
from shared.platform.postgres import Tx

__all__ = [
    "KeyReusedError",
    "OwnedElsewhereError",
    "RefusedError",
    "create",
    "create_first",
    "key_in_force",
    "listed",
    "note_use",
    "revoke",
    "rotate",
]

# What a key may use, by its tenant or by itself.
_OWNED: Final = """
    ARRAY(SELECT DISTINCT owned FROM access_owned WHERE holder IN (tenant, 'pk_' || prefix)
          ORDER BY owned)
"""
IN_FORCE: Final = f"""
    SELECT prefix, digest, tenant, name, scopes, rate_per_s, burst, {_OWNED} AS owned
    FROM access_key
    WHERE prefix = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""
NOTE_USE: Final = """
    UPDATE access_key SET last_used_at = now()
    WHERE prefix = ANY($1)
      AND (last_used_at IS NULL OR last_used_at <= now() - interval '1 minute')
"""
# An expired key no longer occupies its name.
FREE: Final = """
    UPDATE access_key SET revoked_at = expires_at
    WHERE tenant = $1 AND name = $2 AND revoked_at IS NULL AND expires_at <= now()
"""
CREATE: Final = """
    INSERT INTO access_key (
        prefix, digest, tenant, name, slot, scopes, rate_per_s, burst, expires_at)
    SELECT $1, $2, $3, $4, 1, $5, $6, $7, now() + make_interval(days => $8)
    WHERE NOT EXISTS (
        SELECT FROM access_key WHERE tenant = $3 AND name = $4 AND revoked_at IS NULL)
    ON CONFLICT DO NOTHING RETURNING prefix
"""
ROTATE: Final = """
    INSERT INTO access_key (
        prefix, digest, tenant, name, slot, scopes, rate_per_s, burst, expires_at)
    SELECT $1, $2, tenant, name, 3 - slot, scopes, rate_per_s, burst,
           now() + (expires_at - created_at)
    FROM access_key WHERE tenant = $3 AND name = $4 AND revoked_at IS NULL
    ORDER BY created_at DESC LIMIT 1
    ON CONFLICT DO NOTHING RETURNING prefix
"""
OLDEST: Final = """
    SELECT prefix, created_at FROM access_key
    WHERE tenant = $1 AND name = $2 AND revoked_at IS NULL ORDER BY created_at LIMIT 1
"""
REVOKE: Final = """
    UPDATE access_key SET revoked_at = now() WHERE prefix = $1 AND revoked_at IS NULL
    RETURNING prefix
"""
OWN: Final = """
    INSERT INTO access_owned (holder, owned) SELECT $1, unnest($2::text[]) ON CONFLICT DO NOTHING
"""
OWNED_ELSEWHERE: Final = """
    SELECT owned, holder FROM access_owned AS o WHERE owned = ANY($2) AND NOT EXISTS (
        SELECT FROM access_owned WHERE owned = o.owned AND holder = $1)
"""
COPY_LIMIT: Final = """
    INSERT INTO access_owned (holder, owned)
    SELECT 'pk_' || new.prefix, owned FROM access_key AS new
    JOIN access_key AS old
        ON (old.tenant, old.name, 3 - old.slot) = (new.tenant, new.name, new.slot)
        AND old.revoked_at IS NULL
    JOIN access_owned ON holder = 'pk_' || old.prefix
    WHERE new.prefix = $1
"""
DIGEST: Final = "SELECT digest FROM access_key WHERE prefix = $1"
LIST: Final = f"""
    SELECT prefix, tenant, name, scopes, {_OWNED} AS owned, rate_per_s, burst,
           created_at, expires_at, last_used_at,
           CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
                WHEN expires_at <= now() THEN 'expired' ELSE 'in force' END AS state
    FROM access_key WHERE $1::text IS NULL OR prefix = $1 ORDER BY tenant, name, created_at
"""
LOCK: Final = "LOCK TABLE access_key IN SHARE ROW EXCLUSIVE MODE"
HAS_ADMIN: Final = """
    SELECT EXISTS (
        SELECT FROM access_key WHERE 'admin' = ANY(scopes) AND revoked_at IS NULL
            AND (expires_at IS NULL OR expires_at > now()))
"""


class RefusedError(Exception):
    """The keys in force do not allow this; the message says what to do instead."""


class OwnedElsewhereError(RefusedError):
    """A source belongs to another tenant. ``owned`` is the source."""

    def __init__(self, owned: str, owner: str) -> None:
        super().__init__(f"the source {owned} is {owner}'s: a source belongs to one tenant")
        self.owned = owned


class KeyReusedError(RefusedError):
    """An earlier request with the same Idempotency-Key had other content."""


async def key_in_force(tx: Tx, prefix: str) -> Key | None:
    """Read a key by its prefix; None if it does not exist, is revoked or expired."""
    row = await tx.fetchrow(IN_FORCE, prefix)
    if row is None:
        return None
    return Key(
        prefix=row["prefix"],
        digest=row["digest"],
        tenant=row["tenant"],
        name=row["name"],
        scopes=frozenset(row["scopes"]),
        owned=frozenset(row["owned"]),
        rate=Rate(row["rate_per_s"], row["burst"]),
    )


async def note_use(tx: Tx, prefixes: Collection[str]) -> None:
    """Record that keys were used, at most once a minute for each."""
    await tx.execute(NOTE_USE, sorted(prefixes))


async def create(tx: Tx, service: Keyed, new: NewKey, key: ApiKey) -> KeyInfo:
    """Save a new key, and give its tenant what it may use. The same key again changes nothing.

    Raises:
        RefusedError: the name is taken.
        OwnedElsewhereError: a source belongs to another tenant.
        KeyReusedError: a key with the same prefix exists.
    """
    await tx.execute(FREE, new.tenant, new.name)
    values = (new.tenant, new.name, new.scopes, new.rate_per_s, new.burst, new.days)
    if await tx.fetchval(CREATE, key.prefix, key.digest, *values) is None:
        if (before := await _made_before(tx, key)) is not None:
            return before
        raise RefusedError(
            f"{new.tenant} has a key {new.name}: choose another name, or replace it with"
            f" `premium keys rotate {new.tenant} {new.name} --service {service}`"
        )
    if service == "sla-monitor":
        await _own(tx, f"pk_{key.prefix}", new.owned or [EVERY])
    else:
        await _own(tx, new.tenant, new.owned)
    return await _stored(tx, key)


async def create_first(tx: Tx, service: Keyed, new: NewKey, key: ApiKey) -> KeyInfo:
    """Save the first admin key, as the owner of the tables.

    Raises:
        RefusedError: an admin key is in force, or the name is taken.
    """
    await tx.execute(LOCK)
    if await tx.fetchval(HAS_ADMIN):
        raise RefusedError(
            "an admin key is in force: make others with it, by `premium keys create --scope admin`"
        )
    return await create(tx, service, new, key)


async def rotate(tx: Tx, service: Keyed, tenant: str, name: str, key: ApiKey) -> KeyInfo:
    """Save a second key like the one in force; both are valid until one is revoked.

    The same key again changes nothing.

    Raises:
        RefusedError: no key of that name is in force, or two are.
        KeyReusedError: a key with the same prefix exists.
    """
    await tx.execute(FREE, tenant, name)
    if await tx.fetchval(ROTATE, key.prefix, key.digest, tenant, name) is not None:
        await tx.execute(COPY_LIMIT, key.prefix)
        return await _stored(tx, key)
    if (before := await _made_before(tx, key)) is not None:
        return before
    if (oldest := await tx.fetchrow(OLDEST, tenant, name)) is not None:
        raise RefusedError(
            f"two keys {name} of {tenant} are in force: revoke the old one first, made"
            f" {oldest['created_at']:%Y-%m-%d %H:%M}, with `premium keys revoke {oldest['prefix']}"
            f" --service {service}`"
        )
    raise RefusedError(f"{tenant} has no key {name} in force: make one with `premium keys create`")


async def revoke(tx: Tx, prefix: str) -> bool:
    """Revoke a key, within a second. Return whether it was in force."""
    return await tx.fetchval(REVOKE, prefix) is not None


async def listed(tx: Tx) -> list[KeyInfo]:
    """Read all keys, revoked and expired ones included."""
    return [KeyInfo.model_validate(dict(row)) for row in await tx.fetch(LIST, None)]


async def _own(tx: Tx, holder: str, owned: Sequence[str]) -> None:
    await tx.execute(OWN, holder, owned)
    if (elsewhere := await tx.fetchrow(OWNED_ELSEWHERE, holder, owned)) is not None:
        raise OwnedElsewhereError(elsewhere["owned"], elsewhere["holder"])


async def _made_before(tx: Tx, key: ApiKey) -> KeyInfo | None:
    digest = await tx.fetchval(DIGEST, key.prefix)
    if digest is None:
        return None
    if digest != key.digest:
        raise KeyReusedError("was used with another body; send a new one, or the first body")
    return await _stored(tx, key)


async def _stored(tx: Tx, key: ApiKey) -> KeyInfo:
    row = await tx.fetchrow(LIST, key.prefix)
    assert row is not None  # noqa: S101 - keys are never deleted
    return KeyInfo.model_validate(dict(row))
