"""Every SQL statement about changed accounts whose requests must be decided again."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from shared.platform.postgres import Tx

__all__ = ["PendingAccount", "add", "advance", "claim", "remove"]

_BEFORE_ALL: Final = UUID(int=0)
ADD: Final = """
    INSERT INTO account_news (account_id, done_to_at, done_to_id)
    SELECT account_id, $2, $3 FROM unnest($1::text[]) AS changed (account_id)
    WHERE EXISTS (SELECT FROM request
                  WHERE request.account_id = changed.account_id AND curable AND received_at > $2)
    ON CONFLICT (account_id) DO UPDATE
    SET done_to_at = excluded.done_to_at, done_to_id = excluded.done_to_id
"""
CLAIM: Final = """
    SELECT account_id, done_to_at, done_to_id FROM account_news
    ORDER BY account_id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
ADVANCE: Final = """
    UPDATE account_news SET done_to_at = $2, done_to_id = $3 WHERE account_id = $1
"""
REMOVE: Final = "DELETE FROM account_news WHERE account_id = $1"


class PendingAccount(NamedTuple):
    """A changed account, and the last of its requests that was decided again."""

    account_id: str
    done_to: tuple[datetime, UUID]
    """Arrival time and ticket id of the last request that was decided."""


async def add(tx: Tx, account_ids: Iterable[str], *, since: datetime) -> None:
    """Queue those of the accounts that have retryable requests received after ``since``."""
    await tx.execute(ADD, list(account_ids), since, _BEFORE_ALL)


async def claim(tx: Tx) -> PendingAccount | None:
    """Lock a changed account that no other instance has locked; None if there is none."""
    row = await tx.fetchrow(CLAIM)
    if row is None:
        return None
    return PendingAccount(row["account_id"], (row["done_to_at"], row["done_to_id"]))


async def advance(tx: Tx, account_id: str, done_to: tuple[datetime, UUID]) -> None:
    """Save how far an account is done: the last of its requests that was decided again."""
    await tx.execute(ADVANCE, account_id, *done_to)


async def remove(tx: Tx, account_id: str) -> None:
    """Remove an account once all its requests are decided."""
    await tx.execute(REMOVE, account_id)
