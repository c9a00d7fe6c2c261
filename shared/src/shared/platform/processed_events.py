"""Deduplication: an event is claimed once, in the transaction that handles it."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Final, override
from uuid import UUID

from shared.basics.clock import wait_at_most
from shared.platform import offsets
from shared.platform.background import Background
from shared.platform.offsets import Progress
from shared.platform.postgres import Database, Tx

__all__ = ["RETENTION", "Pruner", "claim", "prune", "release"]

RETENTION: Final = timedelta(days=8)
"""Longer than a consumer is away. What is read again later changes nothing: see decision 50."""
_NONE: Final = Progress()
_EVERY_S: Final = 3600
_FORGET_MAX: Final = 10_000

CLAIM: Final = f"""
    WITH come AS ({offsets.SAVE}), fresh AS (
        INSERT INTO processed_event (event_id) SELECT unnest($1::uuid[])
        ON CONFLICT DO NOTHING RETURNING event_id
    )
    SELECT premium_now() AS now, array_agg(event_id) AS fresh FROM fresh
"""  # noqa: S608 - a constant
RELEASE: Final = "DELETE FROM processed_event WHERE event_id = ANY($1::uuid[])"
FORGET: Final = """
    DELETE FROM processed_event WHERE event_id IN (
        SELECT event_id FROM processed_event WHERE claimed_at < now() - $1::interval LIMIT $2
    )
"""


async def claim(
    tx: Tx, event_ids: Iterable[UUID], progress: Progress = _NONE
) -> tuple[set[UUID], datetime]:
    """Claim events; the fresh ones and the time come back in one round trip.

    ``progress`` says how far the consumer comes with them, and is saved in the same.
    Ids are claimed in order, so that two claimants wait for each other instead of deadlocking.
    """
    row = await tx.fetchrow(CLAIM, sorted(set(event_ids)), *progress)
    assert row is not None  # noqa: S101 - an aggregate has one row
    return set(row["fresh"] or ()), row["now"]


async def release(tx: Tx, event_ids: Iterable[UUID]) -> None:
    """Give back what this transaction claimed and does not take: it may come again."""
    await tx.execute(RELEASE, list(event_ids))


async def prune(tx: Tx, *, limit: int) -> int:
    """Drop claims older than RETENTION; the number dropped comes back."""
    return int((await tx.execute(FORGET, RETENTION, limit)).removeprefix("DELETE "))


type Prune = Callable[..., Awaitable[int]]
"""Drops at most ``limit`` old rows of a transaction's database; their number comes back."""


class Pruner(Background):
    """Forgets what is old in the background, a little at a time: claims, if not told otherwise."""

    def __init__(self, db: Database, name: str = "claim pruner", prune: Prune = prune) -> None:
        super().__init__(name)
        self._db = db
        self._forget = prune

    @override
    async def _run(self) -> None:
        while not self._stop.is_set():
            async with self._db.transaction() as tx:
                forgotten = await self._forget(tx, limit=_FORGET_MAX)
            if forgotten < _FORGET_MAX:
                await wait_at_most(self._stop.wait(), _EVERY_S)
