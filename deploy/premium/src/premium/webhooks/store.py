"""The SQL of the operator's command for webhooks, on intake's database."""

import json
from collections.abc import Iterable
from typing import Final

from shared.platform.postgres import Tx
from shared.webhooks import WebhookConnection

__all__ = ["connections", "remove", "save"]

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


async def connections(tx: Tx) -> dict[str, WebhookConnection]:
    """Read all connections, by name."""
    rows = await tx.fetch(CONNECTIONS)
    found = (
        WebhookConnection.model_validate({**row, "mapping": json.loads(row["mapping"])})
        for row in rows
    )
    return {connection.name: connection for connection in found}


async def save(tx: Tx, changed: Iterable[WebhookConnection]) -> None:
    """Put connections in force."""
    rows = [
        (c.name, c.kind, c.url, list(c.secrets), json.dumps(c.document["mapping"])) for c in changed
    ]
    await tx.executemany(SAVE, rows)


async def remove(tx: Tx, name: str) -> bool:
    """Take a connection out of force; False where there is none of that name."""
    return await tx.fetchval(REMOVE, name) is not None
