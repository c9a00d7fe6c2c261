"""The SQL that reads the accounts to which a key is limited."""

from typing import Final

from shared.platform.api_keys import EVERY
from shared.platform.postgres import Tx

__all__ = ["accounts_of"]

ACCOUNTS: Final = "SELECT accounts FROM access_key WHERE prefix = $1"


async def accounts_of(tx: Tx, _tenant: str, prefix: str) -> frozenset[str]:
    """Return the accounts to which a key is limited; `EVERY` if it is not limited."""
    accounts: list[str] | None = await tx.fetchval(ACCOUNTS, prefix)
    return frozenset({EVERY} if accounts is None else accounts)
