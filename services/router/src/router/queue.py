"""The tickets of one pool that wait, in the order of work, as far as they were loaded."""

from collections.abc import Callable
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import Final
from uuid import UUID

from router.ticket import Key, Ticket

__all__ = ["Queue"]

_BEFORE_ALL: Final[Key] = datetime.min.replace(tzinfo=UTC), UUID(int=0)


class Queue:
    """Knows how far it can see: who waits beyond its horizon was not loaded."""

    def __init__(self, *, seen: bool) -> None:
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

    def earliest(
        self, find: Callable[[UUID], Ticket | None], goes: Callable[[Ticket], bool]
    ) -> Key | None:
        """Find the first that goes; others keep their place."""
        passed_over: list[Key] = []
        found = None
        while self._heap and found is None and self._sees(self._heap[0]):
            key = heappop(self._heap)
            ticket = find(key[1])
            if ticket is not None and ticket.key == key:
                passed_over.append(key)
                found = key if goes(ticket) else None
        for key in passed_over:
            heappush(self._heap, key)
        self.fell_short |= found is None and self._horizon is not None
        return found

    def _sees(self, key: Key) -> bool:
        return self._horizon is None or key <= self._horizon
