"""The SQL about API keys.

It uses the server's clock, not `premium_now()`: keys must not expire early in a demo that runs a
business day in a minute.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import Final

from shared.platform.access.keys import Key
from shared.platform.access.limits import Rate
from shared.platform.postgres import Tx

__all__ = ["OwnedBy", "key_in_force", "note_use"]

type OwnedBy = Callable[[Tx, str, str], Awaitable[frozenset[str]]]
"""Reads what a tenant owns, for the key with a prefix: each service has its own statement."""

IN_FORCE: Final = """
    SELECT prefix, digest, tenant, name, scopes, rate_per_s, burst
    FROM access_key
    WHERE prefix = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""
NOTE_USE: Final = """
    UPDATE access_key SET last_used_at = now()
    WHERE prefix = ANY($1)
      AND (last_used_at IS NULL OR last_used_at <= now() - interval '1 minute')
"""


async def key_in_force(tx: Tx, prefix: str, owned_by: OwnedBy) -> Key | None:
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
        owned=await owned_by(tx, row["tenant"], prefix),
        rate=Rate(row["rate_per_s"], row["burst"]),
    )


async def note_use(tx: Tx, prefixes: Collection[str]) -> None:
    """Record that keys were used, at most once a minute for each."""
    await tx.execute(NOTE_USE, sorted(prefixes))
