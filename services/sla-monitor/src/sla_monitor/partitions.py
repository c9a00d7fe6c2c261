"""The Kafka partition of a ticket's events. Sweeps and watermarks work per partition."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from shared.platform.postgres import Database
from shared.platform.publisher import partition_of
from sla_monitor.store import clocks as clock_store

__all__ = ["Partitions"]


class Partitions:
    """The partitions of ``breaches.v1``. Their number is read before the other parts start."""

    def __init__(self, db: Database, count: Callable[[], Awaitable[int]]) -> None:
        self._db = db
        self._ask = count
        self._count = 0

    async def start(self) -> None:
        """Read the number of partitions from the broker; add missing rows. Raises Transient."""
        self._count = await self._ask()
        async with self._db.transaction() as tx:
            await clock_store.ensure_partitions(tx, self._count)

    async def stop(self) -> None:
        """Do nothing."""

    def of(self, ticket_id: UUID) -> int:
        """Return the partition of a ticket's events, computed as by the publisher."""
        return partition_of(str(ticket_id).encode(), self._count)
