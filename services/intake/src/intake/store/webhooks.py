"""The SQL about webhook connections."""

import json
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from pydantic_core import from_json

from shared.platform.postgres import Tx
from shared.webhooks import WebhookConnection

__all__ = ["connection", "connection_and_time", "connections", "remove", "save"]

CONNECTION: Final = """
    SELECT name, kind, url, secrets, mapping, premium_now() AS now
    FROM webhook_connection WHERE name = $1
"""
CONNECTIONS: Final = """
    SELECT name, kind, url, secrets, mapping FROM webhook_connection ORDER BY name
"""
SAVE: Final = """
    INSERT INTO webhook_connection (name, kind, url, secrets, mapping, changed_at)
    VALUES ($1, $2, $3, $4, $5, now())
    ON CONFLICT (name) DO UPDATE SET
        kind = excluded.kind, url = excluded.url, secrets = excluded.secrets,
        mapping = excluded.mapping, changed_at = excluded.changed_at
"""
REMOVE: Final = "DELETE FROM webhook_connection WHERE name = $1 RETURNING name"
_CACHED_MAX: Final = 100


async def connection(tx: Tx, name: str) -> WebhookConnection | None:
    """Read a connection; None when there is none of this name."""
    found = await connection_and_time(tx, name)
    return None if found is None else found[0]


async def connection_and_time(tx: Tx, name: str) -> tuple[WebhookConnection, datetime] | None:
    """Read a connection and business time in one round trip; None if no such connection."""
    row = await tx.fetchrow(CONNECTION, name)
    return None if row is None else (_read(*_key(row)), row["now"])


async def connections(tx: Tx) -> list[WebhookConnection]:
    """Read all connections, by name."""
    return [_read(*_key(row)) for row in await tx.fetch(CONNECTIONS)]


async def save(tx: Tx, new: WebhookConnection) -> None:
    """Insert or replace a connection."""
    mapping = json.dumps(new.document["mapping"])
    await tx.execute(SAVE, new.name, new.kind, new.url, list(new.secrets), mapping)


async def remove(tx: Tx, name: str) -> bool:
    """Remove a connection. Return whether there was one of that name."""
    return await tx.fetchval(REMOVE, name) is not None


def _key(row: Any) -> tuple[str, str, str | None, tuple[str, ...], str]:  # noqa: ANN401 - a row
    return row["name"], row["kind"], row["url"], tuple(row["secrets"]), row["mapping"]


@lru_cache(_CACHED_MAX)
def _read(
    name: str, kind: str, url: str | None, secrets: tuple[str, ...], mapping: str
) -> WebhookConnection:
    """Parse a connection; cached, so that a mapping is not parsed for every webhook."""
    return WebhookConnection.model_validate(
        {"name": name, "kind": kind, "url": url, "secrets": secrets, "mapping": from_json(mapping)}
    )
