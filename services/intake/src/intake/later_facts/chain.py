"""Chains of merges: the ticket that a merged ticket's customer is finally answered on."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from intake.store import later_facts as later_store
from intake.store.later_facts import Merge
from shared.platform.postgres import Tx

__all__ = ["final_target", "merge_chain", "merged_at"]


async def merge_chain(tx: Tx, ticket_ids: Iterable[UUID]) -> dict[UUID, Merge]:
    """Read the merges of tickets, of their targets, and so on, also those that do not count yet."""
    found: dict[UUID, Merge] = {}
    ahead = set(ticket_ids)
    while ahead:
        step = await later_store.merges_of(tx, ahead)
        found |= step
        ahead = {merge.into_id for merge in step.values()} - found.keys()
    return found


def final_target(merges: Mapping[UUID, Merge], ticket_id: UUID) -> UUID:
    """Return the ticket at the end of a chain of merges that count: itself if not merged."""
    while (merge := merges.get(ticket_id)) is not None and merge.counts:
        ticket_id = merge.into_id
    return ticket_id


def merged_at(merges: Mapping[UUID, Merge], merge: Merge) -> datetime:
    """Return from when on the final target owes what was owed on the duplicate."""
    at = merge.occurred_at
    following = merges.get(merge.into_id)
    while following is not None and following.counts:
        at = max(at, following.occurred_at)
        following = merges.get(following.into_id)
    return at
