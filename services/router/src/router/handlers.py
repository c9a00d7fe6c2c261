"""Facts about tickets and the roster become assignments; so does a specialist's refusal."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from router import store
from router.domain import Decline, Desk
from router.matching import Pool, Rules
from router.memory import Memory
from router.memory.store import load_shifts
from router.roster import Roster
from router.ticket import FACTS, Ticket
from shared import outbox
from shared.events import (
    Envelope,
    Event,
    SpecialistListed,
    SpecialistRemoved,
    TicketAccepted,
    TicketFact,
)
from shared.events.assignments import AssignmentFact
from shared.events.codec import read
from shared.postgres import Tx

__all__ = ["CONSUMES", "EMITS", "Matcher", "decode"]

CONSUMES: Final = (TicketFact.topic, SpecialistListed.topic)
EMITS: Final = (AssignmentFact.topic,)
_SPARE: Final = 1
"""Tickets loaded of each pool beyond the room to come: some were declined."""
_LOADED_MAX: Final = 1_000
_WIDER: Final = 8
"""Times as many when that was too few."""
_AGAIN_MAX: Final = 500

decode = read


class Matcher:
    """Decides, one transaction at a time, on a roster that it remembers."""

    def __init__(self, rules: Rules) -> None:
        self._memory = Memory(rules)

    async def take(self, tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime) -> None:
        """Fold fresh events in, match, save, and announce who has what and why."""

        def apply_all(desk: Desk) -> None:
            for envelope in envelopes:
                desk.apply(envelope)

        await self._decide(tx, envelopes, (), now, apply_all)

    async def decline(self, tx: Tx, declined: Decline, now: datetime) -> Ticket:
        """Give a ticket back for another specialist. Raises domain.Unknown, domain.NotTheirs."""
        act: Callable[[Desk], Ticket] = lambda desk: desk.decline(declined)  # noqa: E731
        return await self._decide(tx, (), (declined.ticket_id,), now, act)

    async def turn(self, tx: Tx, now: datetime) -> None:
        """Let shifts begin and end, and requirements relax, that do so by now."""
        due = await store.due(tx, now, limit=_AGAIN_MAX)
        await self._decide(tx, (), due, now, Desk.try_again)

    async def _decide[T](
        self,
        tx: Tx,
        envelopes: Sequence[Envelope[Event]],
        others: Collection[UUID],
        now: datetime,
        act: Callable[[Desk], T],
    ) -> T:
        """Load, decide, save, announce; when it took more of a queue than was loaded, load more."""
        async with self._memory.lent(tx) as remembered:
            roster = remembered.roster
            shifts = await load_shifts(tx, [one.specialist_id for one in roster.due(now)])
            limits: dict[Pool, int] = {}
            while True:
                desk = await _desk(tx, roster, envelopes, others, now)
                limits = limits or _limits(desk, envelopes)
                desk.bring_waiting(await store.load_waiting(tx, limits), limits)
                desk.acquaintances |= await store.load_acquaintances(tx, _accounts(desk, envelopes))
                desk.turn_shifts(shifts)
                outcome = act(desk)
                short = desk.fell_short
                if not short:
                    break
                limits |= {pool: limits.get(pool, _SPARE) * _WIDER for pool in short}
                roster.restore()
            remembered.version = await store.save(tx, desk)
        await outbox.add(tx, desk.announced)
        return outcome


async def _desk(
    tx: Tx,
    roster: Roster,
    envelopes: Sequence[Envelope[Event]],
    others: Collection[UUID],
    now: datetime,
) -> Desk:
    ids = {e.event.ticket_id for e in envelopes if isinstance(e.event, FACTS)}
    leaving = {e.event.specialist_id for e in envelopes if isinstance(e.event, SpecialistRemoved)}
    return Desk(roster, await store.load_tickets(tx, ids.union(others), leaving), now)


def _limits(desk: Desk, envelopes: Sequence[Envelope[Event]]) -> dict[Pool, int]:
    coming = desk.to_come(envelopes)
    return {pool: min(_SPARE + max(0, room), _LOADED_MAX) for pool, room in coming.items()}


def _accounts(desk: Desk, envelopes: Sequence[Envelope[Event]]) -> set[str]:
    new = {e.event.account_id for e in envelopes if isinstance(e.event, TicketAccepted)}
    return new.union(t.request.account_id for t in desk.tickets.values() if t.request is not None)
