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
"""Longer than a consumer may be down. Events read again later change nothing: see decision 50."""
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
    """Claim events; return the ids not claimed before, and the business time, in one round trip.

    ``progress`` holds the consumer's offsets, stored by the same statement. Ids are claimed in
    order, so that of two transactions one waits for the other, and they never deadlock.
    """
    row = await tx.fetchrow(CLAIM, sorted(set(event_ids)), *progress)
    assert row is not None  # noqa: S101 - an aggregate has one row
    return set(row["fresh"] or ()), row["now"]


async def release(tx: Tx, event_ids: Iterable[UUID]) -> None:
    """Release ids that this transaction claimed but does not handle: they may be sent again."""
    await tx.execute(RELEASE, list(event_ids))


async def prune(tx: Tx, *, limit: int) -> int:
    """Delete at most ``limit`` claims older than RETENTION; return their number."""
    return int((await tx.execute(FORGET, RETENTION, limit)).removeprefix("DELETE "))


type Prune = Callable[..., Awaitable[int]]
"""Deletes at most ``limit`` old rows; returns their number."""


class Pruner(Background):
    """Deletes old rows in the background, in batches; by default claims of processed events."""

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
