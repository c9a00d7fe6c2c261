"""The waiting tickets of each pool in the order of work, as far as they are loaded."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import Final
from uuid import UUID

from router.domain.matching import Pool
from router.domain.roster import Roster
from router.domain.ticket import Key, Ticket

__all__ = ["WaitingQueues", "pool_of"]

type _Predicate = Callable[[Ticket], bool]

_BEFORE_ALL: Final[Key] = datetime.min.replace(tzinfo=UTC), UUID(int=0)


class _WaitingQueue:
    """The waiting tickets of one pool, loaded up to a horizon in the order of work."""

    def __init__(self, pool: Pool, *, all_loaded: bool) -> None:
        self._pool = pool
        self._heap: list[Key] = []
        self._horizon: Key | None = None if all_loaded else _BEFORE_ALL
        self.insufficiently_loaded = False
        """A search needed tickets beyond the horizon."""

    def push(self, ticket: Ticket) -> None:
        """Add a ticket at its present place; its entries at former places are skipped later."""
        heappush(self._heap, ticket.key)

    def set_horizon(self, horizon: Key | None) -> None:
        """Set the last loaded place; None: all tickets are loaded."""
        self._horizon = horizon

    def earliest(self, tickets: Mapping[UUID, Ticket], is_assignable: _Predicate) -> Key | None:
        """Return the place of the earliest assignable ticket; the queue keeps all its tickets."""
        passed_over: list[Key] = []
        found = None
        while self._heap and found is None and self._is_loaded(self._heap[0]):
            key = heappop(self._heap)
            ticket = tickets[key[1]]
            if ticket.waits and (ticket.key, ticket.pool) == (key, self._pool):
                passed_over.append(key)
                found = key if is_assignable(ticket) else None
        for key in passed_over:
            heappush(self._heap, key)
        self.insufficiently_loaded |= found is None and self._horizon is not None
        return found

    def _is_loaded(self, key: Key) -> bool:
        return self._horizon is None or key <= self._horizon


class WaitingQueues:
    """The queues of all pools in one transaction."""

    def __init__(self, roster: Roster, tickets: Mapping[UUID, Ticket]) -> None:
        self._roster = roster
        self._tickets = tickets
        self._by_pool: dict[Pool, _WaitingQueue] = {}

    @property
    def insufficiently_loaded(self) -> set[Pool]:
        """The pools of which a search needed more tickets than were loaded."""
        return {pool for pool, queue in self._by_pool.items() if queue.insufficiently_loaded}

    def push(self, ticket: Ticket) -> None:
        """Add a ticket to the queue of its pool."""
        self._queue(pool_of(ticket)).push(ticket)

    def mark_loaded(self, waiting: Iterable[Ticket], limits: Mapping[Pool, int]) -> None:
        """Note how far each pool is loaded: fewer tickets than its limit means completely."""
        pools: defaultdict[Pool, list[Ticket]] = defaultdict(list)
        for ticket in waiting:
            pools[pool_of(ticket)].append(ticket)
        for pool, limit in limits.items():
            full = len(pools[pool]) >= limit
            self._queue(pool).set_horizon(max(t.key for t in pools[pool]) if full else None)

    def earliest(self, pools: Iterable[Pool], is_assignable: _Predicate) -> Ticket | None:
        """Return the earliest assignable ticket of some pools; None if none was found."""
        firsts = (self._queue(pool).earliest(self._tickets, is_assignable) for pool in pools)
        first = min((key for key in firsts if key is not None), default=None)
        return None if first is None else self._tickets[first[1]]

    def _queue(self, pool: Pool) -> _WaitingQueue:
        """Return a pool's queue; if no ticket waited in the pool before, there is none to load."""
        queue = self._by_pool.get(pool)
        if queue is None:
            is_new = self._roster.is_new(pool)
            queue = self._by_pool[pool] = _WaitingQueue(pool, all_loaded=is_new)
        return queue


def pool_of(ticket: Ticket) -> Pool:
    """Return the pool of a ticket that waits or has waited."""
    assert ticket.pool is not None  # noqa: S101 - called for no other ticket
    return ticket.pool
