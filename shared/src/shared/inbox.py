"""The inbox makes redelivery harmless: an event is claimed once, in the transaction it causes."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from shared.postgres import Tx

__all__ = ["RETENTION", "claim", "forget"]

RETENTION: Final = timedelta(days=8)
"""Longer than Kafka keeps any record: what can be redelivered is still remembered."""

CLAIM: Final = """
    WITH fresh AS (
        INSERT INTO inbox (event_id) SELECT unnest($1::uuid[])
        ON CONFLICT DO NOTHING RETURNING event_id
    )
    SELECT premium_now() AS now, array_agg(event_id) AS fresh FROM fresh
"""
FORGET: Final = """
    DELETE FROM inbox WHERE event_id IN (
        SELECT event_id FROM inbox WHERE claimed_at < now() - $1::interval LIMIT $2
    )
"""


async def claim(tx: Tx, event_ids: Iterable[UUID]) -> tuple[set[UUID], datetime]:
    """Claim events; the fresh ones and the time come back in one round trip.

    Ids are claimed in order, so that two claimants wait for each other instead of deadlocking.
    """
    row = await tx.fetchrow(CLAIM, sorted(set(event_ids)))
    assert row is not None  # noqa: S101 - an aggregate has one row
    return set(row["fresh"] or ()), row["now"]


async def forget(tx: Tx, *, limit: int) -> int:
    """Drop claims older than RETENTION; the number dropped comes back."""
    return int((await tx.execute(FORGET, RETENTION, limit)).removeprefix("DELETE "))
