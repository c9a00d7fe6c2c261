"""Every SQL statement about Idempotency-Keys and their stored responses."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from shared.platform.postgres import Tx

__all__ = [
    "StoredResponse",
    "delete_old_responses",
    "lock_keys",
    "save_responses",
    "stored_responses",
]

_RETENTION: Final = timedelta(days=7)

LOCK_KEYS: Final = """
    SELECT key FROM unnest($1::text[]) AS key
    WHERE pg_try_advisory_xact_lock(hashtextextended('answer/' || key, 0))
"""
RESPONSES: Final = "SELECT key, fingerprint, status, body FROM answer WHERE key = ANY($1)"
SAVE_RESPONSE: Final = """
    INSERT INTO answer (key, fingerprint, status, body, answered_at) VALUES ($1, $2, $3, $4, now())
"""
DELETE_OLD_RESPONSES: Final = "DELETE FROM answer WHERE answered_at < now() - $1::interval"


class StoredResponse(NamedTuple):
    """A stored response; ``fingerprint`` is the digest of the request that it answers."""

    fingerprint: bytes
    status: int
    body: str


async def lock_keys(tx: Tx, keys: Sequence[str]) -> list[str]:
    """Lock keys until the transaction ends; return those that were not locked already."""
    return [row["key"] for row in await tx.fetch(LOCK_KEYS, keys)]


async def stored_responses(tx: Tx, keys: Sequence[str]) -> dict[str, StoredResponse]:
    """Read the stored responses of keys."""
    return {row["key"]: StoredResponse(*row[1:]) for row in await tx.fetch(RESPONSES, keys)}


async def save_responses(tx: Tx, responses: Mapping[str, StoredResponse]) -> None:
    """Save the responses of keys, to be returned when a key is sent again."""
    if responses:
        rows = [(key, *response) for key, response in responses.items()]
        await tx.executemany(SAVE_RESPONSE, rows)


async def delete_old_responses(tx: Tx) -> None:
    """Delete the responses that are older than 7 days."""
    await tx.execute(DELETE_OLD_RESPONSES, _RETENTION)
