"""The local stack's own API keys, one for each service with an API."""

from typing import Final

import asyncpg

from premium.keys.store import BURST, RATE_PER_S, own
from shared.platform.api_keys import EVERY, SCOPES, Keyed, make_key, read_key

__all__ = ["ensure_local_key"]

_LOCAL: Final = "local"
"""The tenant of the stack's own requests."""
_STACK: Final = "stack"

_REVOKED: Final = "SELECT revoked_at IS NOT NULL FROM access_key WHERE prefix = $1"
_REVOKE_OTHERS: Final = """
    UPDATE access_key SET revoked_at = now()
    WHERE tenant = $1 AND name = $2 AND prefix <> $3 AND revoked_at IS NULL
"""
_INSERT_LOCAL: Final = """
    INSERT INTO access_key (prefix, digest, tenant, name, slot, scopes, rate_per_s, burst)
    VALUES ($1, $2, $3, $4, 1, $5, $6, $7) ON CONFLICT DO NOTHING
"""


async def ensure_local_key(connection: asyncpg.Connection, service: Keyed, text: str | None) -> str:
    """Make the stack's own key valid for all of a service, and revoke its earlier keys.

    Returns the key: ``text``, or a new one if ``text`` is None, malformed or revoked.
    """
    key = read_key(text or "")
    if key is None or await connection.fetchval(_REVOKED, key.prefix):
        key = make_key()
    await connection.execute(_REVOKE_OTHERS, _LOCAL, _STACK, key.prefix)
    what = (SCOPES[service], RATE_PER_S, BURST)
    await connection.execute(_INSERT_LOCAL, key.prefix, key.digest, _LOCAL, _STACK, *what)
    if service != "sla-monitor":
        await own(connection, service, _LOCAL, EVERY)
    return key.text
