"""Every SQL statement about the keys to a service's door.

By the server's own clock, not by `premium_now()`: a day that is played in a minute must not let
keys expire.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import Final

from shared.platform.access.keys import Key
from shared.platform.access.limits import Rate
from shared.platform.postgres import Tx

__all__ = ["OwnedBy", "key_in_force", "note_use"]

type OwnedBy = Callable[[Tx, str, str], Awaitable[frozenset[str]]]
"""Reads, by a service's own statement, what a tenant speaks for by the key of a prefix."""

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
    """Read a key by its prefix; None when it never was, is revoked, or is expired."""
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
    """Note that these keys were used, of each at most once a minute."""
    await tx.execute(NOTE_USE, sorted(prefixes))
