"""Which partition a ticket's records stand on: what is swept and proven silent is a partition."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from aiokafka.partitioner import murmur2

from shared.postgres import Database
from sla_monitor import store

__all__ = ["Partitions"]

_POSITIVE: Final = 0x7FFFFFFF


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
            await store.ensure_partitions(tx, self._count)

    async def stop(self) -> None:
        """Nothing was opened."""

    def of(self, ticket_id: UUID) -> int:
        """Find a ticket's partition, as Kafka's producers do by a record's key."""
        key = str(ticket_id).encode()
        place: int = (murmur2(key) & _POSITIVE) % self._count
        return place
