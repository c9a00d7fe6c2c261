"""The SQL statement about the owners of sources."""

from typing import Final

from shared.platform.postgres import Tx

__all__ = ["sources_of"]

SOURCES: Final = "SELECT source FROM source_owner WHERE tenant = $1"


async def sources_of(tx: Tx, tenant: str, _prefix: str) -> frozenset[str]:
    """Read the sources of a tenant."""
    return frozenset(row["source"] for row in await tx.fetch(SOURCES, tenant))
