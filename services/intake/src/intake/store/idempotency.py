"""Every SQL statement about Idempotency-Keys and what was answered to them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from shared.platform.postgres import Tx

__all__ = ["Kept", "answers_to", "forget_answers", "keep_answers", "lock_keys"]

_ANSWERS_KEPT: Final = timedelta(days=7)

LOCK_KEYS: Final = """
    SELECT key FROM unnest($1::text[]) AS key
    WHERE pg_try_advisory_xact_lock(hashtextextended('answer/' || key, 0))
"""
ANSWERS: Final = "SELECT key, fingerprint, status, body FROM answer WHERE key = ANY($1)"
KEEP_ANSWER: Final = """
    INSERT INTO answer (key, fingerprint, status, body, answered_at) VALUES ($1, $2, $3, $4, now())
"""
FORGET_ANSWERS: Final = "DELETE FROM answer WHERE answered_at < now() - $1::interval"


class Kept(NamedTuple):
    """An answer as it was given, and what tells whether the same is asked."""

    fingerprint: bytes
    status: int
    body: str


async def lock_keys(tx: Tx, keys: Sequence[str]) -> list[str]:
    """Take keys in hand; those come back that nobody else has."""
    return [row["key"] for row in await tx.fetch(LOCK_KEYS, keys)]


async def answers_to(tx: Tx, keys: Sequence[str]) -> dict[str, Kept]:
    """Read what was answered to keys."""
    return {row["key"]: Kept(*row[1:]) for row in await tx.fetch(ANSWERS, keys)}


async def keep_answers(tx: Tx, answers: Mapping[str, Kept]) -> None:
    """Keep answers for whoever sends the same keys again."""
    if answers:
        await tx.executemany(KEEP_ANSWER, [(key, *kept) for key, kept in answers.items()])


async def forget_answers(tx: Tx) -> None:
    """Forget answers that were kept for as long as was said."""
    await tx.execute(FORGET_ANSWERS, _ANSWERS_KEPT)
