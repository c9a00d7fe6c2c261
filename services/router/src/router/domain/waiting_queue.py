"""The tickets that wait, pool by pool, in the order of work, as far as they were loaded."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import Final
from uuid import UUID

from router.domain.matching import Pool
from router.domain.roster import Roster
from router.domain.ticket import Key, Ticket

__all__ = ["Queues", "pool_of"]

type Goes = Callable[[Ticket], bool]

_BEFORE_ALL: Final[Key] = datetime.min.replace(tzinfo=UTC), UUID(int=0)


class _Queue:
    """Knows how far it can see: who waits beyond its horizon was not loaded."""

    def __init__(self, pool: Pool, *, seen: bool) -> None:
        self._pool = pool
        self._heap: list[Key] = []
        self._horizon: Key | None = None if seen else _BEFORE_ALL
        self.fell_short = False
        """An answer would have needed tickets beyond those loaded."""

    def push(self, ticket: Ticket) -> None:
        """Add a ticket, or its new place when it has another now."""
        heappush(self._heap, ticket.key)

    def ends_at(self, horizon: Key | None) -> None:
        """Say that others wait beyond ``horizon``, which were not loaded; None: all were."""
        self._horizon = horizon

    def earliest(self, tickets: Mapping[UUID, Ticket], goes: Goes) -> Key | None:
        """Find the first that goes; others keep their place."""
        passed_over: list[Key] = []
        found = None
        while self._heap and found is None and self._sees(self._heap[0]):
            key = heappop(self._heap)
            ticket = tickets[key[1]]
            if ticket.waits and (ticket.key, ticket.pool) == (key, self._pool):
                passed_over.append(key)
                found = key if goes(ticket) else None
        for key in passed_over:
            heappush(self._heap, key)
        self.fell_short |= found is None and self._horizon is not None
        return found

    def _sees(self, key: Key) -> bool:
        return self._horizon is None or key <= self._horizon


class Queues:
    """Every queue of the tickets that a transaction knows."""

    def __init__(self, roster: Roster, tickets: Mapping[UUID, Ticket]) -> None:
        self._roster = roster
        self._tickets = tickets
        self._by_pool: dict[Pool, _Queue] = {}

    @property
    def fell_short(self) -> set[Pool]:
        """The pools of which an answer would have needed more tickets than were loaded."""
        return {pool for pool, queue in self._by_pool.items() if queue.fell_short}

    def push(self, ticket: Ticket) -> None:
        """Let a ticket stand in the queue of its pool."""
        self._queue(pool_of(ticket)).push(ticket)

    def loaded(self, waiting: Iterable[Ticket], limits: Mapping[Pool, int]) -> None:
        """Say that of some pools the earliest are here, at most so many as their limits."""
        pools: defaultdict[Pool, list[Ticket]] = defaultdict(list)
        for ticket in waiting:
            pools[pool_of(ticket)].append(ticket)
        for pool, limit in limits.items():
            full = len(pools[pool]) >= limit
            self._queue(pool).ends_at(max(t.key for t in pools[pool]) if full else None)

    def earliest(self, pools: Iterable[Pool], goes: Goes) -> Ticket | None:
        """Find the first of some pools that goes."""
        firsts = (self._queue(pool).earliest(self._tickets, goes) for pool in pools)
        first = min((key for key in firsts if key is not None), default=None)
        return None if first is None else self._tickets[first[1]]

    def _queue(self, pool: Pool) -> _Queue:
        """Find a queue; one that nobody was ever known to stand in is empty beyond what is here."""
        queue = self._by_pool.get(pool)
        if queue is None:
            queue = self._by_pool[pool] = _Queue(pool, seen=self._roster.is_new(pool))
        return queue


def pool_of(ticket: Ticket) -> Pool:
    """Name the pool of a ticket that waits, or was given."""
    assert ticket.pool is not None  # noqa: S101 - no other is asked
    return ticket.pool
