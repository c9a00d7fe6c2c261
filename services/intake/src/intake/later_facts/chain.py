"""Into which tickets others were merged, link by link."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from intake.store import later_facts as later_store
from intake.store.later_facts import Merge
from shared.platform.postgres import Tx

__all__ = ["links", "merged_at", "stays"]


async def links(tx: Tx, ticket_ids: Iterable[UUID]) -> dict[UUID, Merge]:
    """Follow merges from some tickets on, also those that do not count yet."""
    found: dict[UUID, Merge] = {}
    ahead = set(ticket_ids)
    while ahead:
        step = await later_store.merges_of(tx, ahead)
        found |= step
        ahead = {merge.into_id for merge in step.values()} - found.keys()
    return found


def stays(found: Mapping[UUID, Merge], ticket_id: UUID) -> UUID:
    """Name the ticket that stays in the end."""
    while (merge := found.get(ticket_id)) is not None and merge.counts:
        ticket_id = merge.into_id
    return ticket_id


def merged_at(found: Mapping[UUID, Merge], merge: Merge) -> datetime:
    """Say when what was owed on a duplicate had come to the ticket that stays."""
    at = merge.occurred_at
    following = found.get(merge.into_id)
    while following is not None and following.counts:
        at = max(at, following.occurred_at)
        following = found.get(following.into_id)
    return at
