"""The SQL statement about webhook connections, which the operator's command writes."""

from datetime import datetime
from functools import lru_cache
from typing import Final

from pydantic_core import from_json

from shared.platform.postgres import Tx
from shared.webhooks import WebhookConnection

__all__ = ["connection", "connection_and_time"]

CONNECTION: Final = """
    SELECT name, kind, url, secrets, mapping, premium_now() AS now
    FROM webhook_connection WHERE name = $1
"""
_CACHED_MAX: Final = 100


async def connection(tx: Tx, name: str) -> WebhookConnection | None:
    """Read a connection; None when there is none of this name."""
    found = await connection_and_time(tx, name)
    return None if found is None else found[0]


async def connection_and_time(tx: Tx, name: str) -> tuple[WebhookConnection, datetime] | None:
    """Read a connection and business time in one round trip; None if no such connection."""
    row = await tx.fetchrow(CONNECTION, name)
    if row is None:
        return None
    found = _read(row["name"], row["kind"], row["url"], tuple(row["secrets"]), row["mapping"])
    return found, row["now"]


@lru_cache(_CACHED_MAX)
def _read(
    name: str, kind: str, url: str | None, secrets: tuple[str, ...], mapping: str
) -> WebhookConnection:
    """Parse a connection; cached, so that a mapping is not parsed for every webhook."""
    return WebhookConnection.model_validate(
        {"name": name, "kind": kind, "url": url, "secrets": secrets, "mapping": from_json(mapping)}
    )
