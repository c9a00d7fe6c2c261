"""Which partition a ticket's records stand on: what is swept and proven silent is a partition."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from shared.platform.postgres import Database
from shared.platform.publisher import partition_of
from sla_monitor.store import clocks as clock_store

__all__ = ["Partitions"]


class Partitions:
    """The partitions of ``breaches.v1``; as a part, it learns their number before others start."""

    def __init__(self, db: Database, count: Callable[[], Awaitable[int]]) -> None:
        self._db = db
        self._ask = count
        self._count = 0

    async def start(self) -> None:
        """Ask the broker, and make what the sweep needs. Raises Transient while it is away."""
        self._count = await self._ask()
        async with self._db.transaction() as tx:
            await clock_store.ensure_partitions(tx, self._count)

    async def stop(self) -> None:
        """Nothing was opened."""

    def of(self, ticket_id: UUID) -> int:
        """Find a ticket's partition, as the publisher does by a record's key."""
        return partition_of(str(ticket_id).encode(), self._count)
