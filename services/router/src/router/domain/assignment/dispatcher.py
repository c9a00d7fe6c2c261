"""Matches waiting tickets and specialists: which ticket is next, who gets it, or why it waits."""

from collections.abc import Callable, Collection, Iterable, Mapping
from uuid import UUID

from router.domain.assignment.assignments import Assignments
from router.domain.assignment.state import AssignmentState
from router.domain.matching import Pool, decide
from router.domain.matching_request import (
    excluded_specialists,
    matching_request,
    pinned_to,
    waiting_reason,
)
from router.domain.ticket import Ticket
from router.domain.waiting_queue import WaitingQueues, pool_of
from shared.events import AssignmentExplained, TicketQueued

__all__ = ["Dispatcher"]


class Dispatcher:
    """Applies the matching rules to the queues and the roster, in one transaction."""

    def __init__(self, state: AssignmentState, assignments: Assignments) -> None:
        self._state = state
        self._assignments = assignments
        self._roster = state.roster
        self._queues = WaitingQueues(state.roster, state.tickets)

    @property
    def insufficiently_loaded(self) -> set[Pool]:
        """The pools of which a decision needed more waiting tickets than were loaded."""
        return self._queues.insufficiently_loaded

    def add(self, ticket: Ticket) -> None:
        """Add a loaded ticket; a waiting one keeps its place in its queue."""
        self._state.tickets[ticket.ticket_id] = ticket
        if ticket.waits and ticket.pool is not None:
            self._queues.push(ticket)

    def add_waiting(self, tickets: Iterable[Ticket], limits: Mapping[Pool, int]) -> None:
        """Add the earliest waiting tickets; ``limits`` is how many of each pool were asked for."""
        waiting = [*tickets]
        for ticket in waiting:
            if ticket.ticket_id not in self._state.tickets:
                self.add(ticket)
        self._queues.mark_loaded(waiting, limits)

    def enqueue(self, ticket: Ticket) -> None:
        """Put a waiting ticket into the queue of its pool, at the place that it has now."""
        ticket.drop_expired_exclusions(self._state.now)
        ticket.update_queue_place(self._roster.rules, self._state.now)
        self._queues.push(ticket)

    def enqueue_and_match(self, ticket: Ticket) -> None:
        """Queue a ticket and allocate it if possible.

        Other waiting tickets need no attempt: the free room did not suit any of them before.
        """
        if ticket.waits:
            self.enqueue(ticket)
            self.match_ticket(ticket)

    def match_ticket(self, ticket: Ticket) -> None:
        """Allocate a ticket to the best specialist, if any can take it."""
        if ticket.waits and self._is_assignable(ticket):
            self._allocate(ticket)

    def match_specialist(self, specialist_id: str) -> None:
        """Allocate the earliest suitable tickets to a specialist who may have room now."""
        roster = self._roster
        specialist = roster.get(specialist_id)
        pools = roster.pools_of(specialist) if specialist is not None else ()

        def is_for_them(ticket: Ticket) -> bool:
            if (only := pinned_to(roster, ticket)) is not None:
                return only == specialist_id and self._is_assignable(ticket)
            return specialist_id not in excluded_specialists(roster, ticket)

        while specialist is not None and specialist.available:
            open_to = (p for p in pools if roster.can_take(specialist_id, p.channel))
            if not self._allocate_earliest(open_to, is_for_them):
                return

    def match_pools(self, pools: Collection[Pool]) -> None:
        """Allocate the earliest tickets of some pools while any specialist can take one."""
        while self._allocate_earliest(
            (pool for pool in pools if self._has_candidate(pool, ())), self._is_assignable
        ):
            pass

    def announce_waiting(self, ticket: Ticket, cause: UUID) -> None:
        """Announce that a ticket waits, and the reason; do nothing if it does not wait."""
        if ticket.waits:
            reason = waiting_reason(self._roster, ticket)
            self._state.announce(cause, TicketQueued(ticket_id=ticket.ticket_id, reason=reason))
            self._state.announce(cause, self._decide(ticket))

    def _allocate_earliest(
        self, pools: Iterable[Pool], is_assignable: Callable[[Ticket], bool]
    ) -> bool:
        first = self._queues.earliest(pools, is_assignable)
        if first is not None:
            self._allocate(first)
        return first is not None

    def _is_assignable(self, ticket: Ticket) -> bool:
        pool, only = pool_of(ticket), pinned_to(self._roster, ticket)
        excluded = excluded_specialists(self._roster, ticket)
        if only is not None:
            return only not in excluded and self._roster.can_take(only, pool.channel)
        return self._has_candidate(pool, excluded)

    def _has_candidate(self, pool: Pool, excluded: Collection[str]) -> bool:
        able = self._roster.index.able(pool.channel, self._roster.needs(pool), excluded)
        return next(able, None) is not None

    def _allocate(self, ticket: Ticket) -> None:
        """Allocate a ticket to the best specialist and announce the decision record."""
        decision = self._decide(ticket)
        assert decision.specialist_id is not None  # noqa: S101 - the ticket is assignable
        specialist = self._state.specialist(decision.specialist_id)
        cause = self._assignments.allocate(ticket, specialist)
        self._state.announce(cause, decision)

    def _decide(self, ticket: Ticket) -> AssignmentExplained:
        state, roster = self._state, self._roster
        affinity = state.affinities.get(ticket.terms.account_id)
        asked = matching_request(roster, ticket, affinity, state.now)
        return decide(asked, roster, roster.rules.weights, state.now)
