"""Who gets what next: the queues and the roster, brought together by the rules of matching."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import cast
from uuid import UUID

from router.domain.assignment.changes import Hands
from router.domain.matching import Pool, decide
from router.domain.matching_request import aside, pinned, question, why_it_waits
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from router.domain.ticket import Ticket
from router.domain.waiting_queue import Queues, pool_of
from shared.events import AssignmentExplained, Envelope, TicketQueued

__all__ = ["Choice"]


class Choice(Hands):
    """The tickets one transaction knows of, who has them, and who is to have those that wait."""

    def __init__(
        self, roster: Roster, tickets: Iterable[Ticket], now: datetime, rules: OfferRules
    ) -> None:
        super().__init__(roster, rules, now)
        self._queues = Queues(roster, self.tickets)
        for ticket in tickets:
            self._bring(ticket)

    @property
    def fell_short(self) -> set[Pool]:
        """The pools of which a decision would have needed more tickets than were loaded."""
        return self._queues.fell_short

    @property
    def decisions(self) -> list[Envelope[AssignmentExplained]]:
        """The records of what was decided."""
        return [
            cast("Envelope[AssignmentExplained]", envelope)
            for envelope in self.announced
            if isinstance(envelope.event, AssignmentExplained)
        ]

    def bring_waiting(self, tickets: Iterable[Ticket], limits: Mapping[Pool, int]) -> None:
        """Take those in who wait: of each pool the earliest, at most so many as its limit."""
        waiting = [*tickets]
        for ticket in waiting:
            if ticket.ticket_id not in self.tickets:
                self._bring(ticket)
        self._queues.loaded(waiting, limits)

    def line_up(self, ticket: Ticket) -> None:
        """Find its place; nobody else who waits could take what is free, so it alone may go."""
        if ticket.waits:
            self._enqueue(ticket)
            self._try(ticket)

    def _enqueue(self, ticket: Ticket) -> None:
        ticket.forget_asides(self.now)
        ticket.place(self.roster.rules, self.now)
        self._queues.push(ticket)

    def _say_why_it_waits(self, ticket: Ticket, cause: UUID) -> None:
        if ticket.waits:
            reason = why_it_waits(self.roster, ticket)
            self.announce(cause, TicketQueued(ticket_id=ticket.ticket_id, reason=reason))
            self.announce(cause, self._decide(ticket))

    def _serve(self, specialist_id: str) -> None:
        """Give the earliest to somebody who has room now; nobody else has any that is new."""
        specialist = self.roster.get(specialist_id)
        pools = self.roster.pools_of(specialist) if specialist is not None else ()

        def goes(ticket: Ticket) -> bool:
            if (only := pinned(self.roster, ticket)) is not None:
                return only == specialist_id and self._goes(ticket)
            return specialist_id not in aside(self.roster, ticket)

        while specialist is not None and specialist.there:
            open_to = (p for p in pools if self.roster.can_take(specialist_id, p.channel))
            if not self._give_earliest(open_to, goes):
                return

    def _match(self, pools: Collection[Pool]) -> None:
        """Give the earliest to somebody, as long as anybody can take anything of these pools."""
        while self._give_earliest(
            (pool for pool in pools if self._anybody_for(pool, ())), self._goes
        ):
            pass

    def _give_earliest(self, pools: Iterable[Pool], goes: Callable[[Ticket], bool]) -> bool:
        first = self._queues.earliest(pools, goes)
        if first is not None:
            self._give_to_best(first)
        return first is not None

    def _goes(self, ticket: Ticket) -> bool:
        """Tell whether anybody can take a ticket that waits."""
        pool, only = pool_of(ticket), pinned(self.roster, ticket)
        not_to = aside(self.roster, ticket)
        if only is not None:
            return only not in not_to and self.roster.can_take(only, pool.channel)
        return self._anybody_for(pool, not_to)

    def _anybody_for(self, pool: Pool, not_to: Collection[str]) -> bool:
        able = self.roster.ranks.able(pool.channel, self.roster.needs(pool), not_to)
        return next(able, None) is not None

    def _try(self, ticket: Ticket) -> None:
        """Give a ticket to who is best for it, if anybody can take it."""
        if ticket.waits and self._goes(ticket):
            self._give_to_best(ticket)

    def _give_to_best(self, ticket: Ticket) -> None:
        decision = self._decide(ticket)
        assert decision.specialist_id is not None  # noqa: S101 - somebody can take it
        cause = self.give(ticket, self.somebody(decision.specialist_id))
        self.announce(cause, decision)

    def _decide(self, ticket: Ticket) -> AssignmentExplained:
        known = self.acquaintances.get(ticket.terms.account_id)
        asked = question(self.roster, ticket, known, self.now)
        return decide(asked, self.roster, self.roster.rules.weights, self.now)

    def _bring(self, ticket: Ticket) -> None:
        self.tickets[ticket.ticket_id] = ticket
        if ticket.waits and ticket.pool is not None:
            self._queues.push(ticket)
