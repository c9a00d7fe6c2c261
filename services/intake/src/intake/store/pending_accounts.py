"""Every SQL statement about accounts whose requests are still to be judged again."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from shared.platform.postgres import Tx

__all__ = ["AccountNews", "add", "advance", "claim", "end"]

_BEFORE_ALL: Final = UUID(int=0)
ADD: Final = """
    INSERT INTO account_news (account_id, done_to_at, done_to_id)
    SELECT account_id, $2, $3 FROM unnest($1::text[]) AS told (account_id)
    WHERE EXISTS (SELECT FROM request
                  WHERE request.account_id = told.account_id AND curable AND received_at > $2)
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
END: Final = "DELETE FROM account_news WHERE account_id = $1"


class AccountNews(NamedTuple):
    """An account that something is new of, and up to where its requests are judged."""

    account_id: str
    done_to: tuple[datetime, UUID]
    """Of the last one: when it came, and its ticket."""


async def add(tx: Tx, account_ids: Iterable[str], *, since: datetime) -> None:
    """Leave the requests that came since then to be judged again, where an account has some."""
    await tx.execute(ADD, list(account_ids), since, _BEFORE_ALL)


async def claim(tx: Tx) -> AccountNews | None:
    """Take an account some of whose requests are left, and that no other instance works on."""
    row = await tx.fetchrow(CLAIM)
    if row is None:
        return None
    return AccountNews(row["account_id"], (row["done_to_at"], row["done_to_id"]))


async def advance(tx: Tx, account_id: str, done_to: tuple[datetime, UUID]) -> None:
    """Save up to where the requests of an account are judged."""
    await tx.execute(ADVANCE, account_id, *done_to)


async def end(tx: Tx, account_id: str) -> None:
    """Forget an account all of whose requests are judged."""
    await tx.execute(END, account_id)
