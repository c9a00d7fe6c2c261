"""SQL of the specialists as whom a tenant may act."""

from typing import Final

from shared.platform.postgres import Tx

__all__ = ["specialists_of"]

SPECIALISTS: Final = "SELECT specialist_id FROM specialist_voice WHERE tenant = $1"


async def specialists_of(tx: Tx, tenant: str, _prefix: str) -> frozenset[str]:
    """Return the specialists as whom a tenant may act."""
    return frozenset(row["specialist_id"] for row in await tx.fetch(SPECIALISTS, tenant))
