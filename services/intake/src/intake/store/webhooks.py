"""The SQL of webhooks: intake reads connections, and the operator's command writes them."""

from functools import lru_cache
from typing import Final

from pydantic_core import from_json

from shared.platform.postgres import Tx
from shared.webhooks import WebhookConnection

__all__ = ["connection"]

CONNECTION: Final = """
    SELECT name, kind, url, secrets, mapping FROM webhook_connection WHERE name = $1
"""
_READ_KEPT: Final = 100


async def connection(tx: Tx, name: str) -> WebhookConnection | None:
    """Read a connection as it is now."""
    row = await tx.fetchrow(CONNECTION, name)
    if row is None:
        return None
    return _read(row["name"], row["kind"], row["url"], tuple(row["secrets"]), row["mapping"])


@lru_cache(_READ_KEPT)
def _read(
    name: str, kind: str, url: str | None, secrets: tuple[str, ...], mapping: str
) -> WebhookConnection:
    """Read a mapping once, not for every webhook."""
    return WebhookConnection.model_validate(
        {"name": name, "kind": kind, "url": url, "secrets": secrets, "mapping": from_json(mapping)}
    )
