"""Facts, acts of people, and time become offers and assignments."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

from router.domain import callbacks
from router.domain.assignment.session import Desk
from router.domain.callbacks import Book, Call, Dial
from router.domain.command_handlers import do, say
from router.domain.commands import (
    REPEATED_WITHIN,
    Accept,
    Act,
    Conflict,
    DeclineOffer,
    Done,
    Outcome,
    Say,
    Word,
    deed_of,
)
from router.domain.matching import Pool, Rules
from router.domain.roster import Waits
from router.domain.ticket import FACTS
from router.service import coverage
from router.service.roster_cache import Memory, Remembered
from router.store import callbacks as ledgers
from router.store import offers as kept
from router.store import ticket_history
from router.store import tickets as ticket_store
from router.store.roster import load_shifts
from shared.events import (
    Envelope,
    Event,
    Presence,
    SpecialistListed,
    SpecialistRemoved,
    TicketAccepted,
)
from shared.platform import outbox
from shared.platform.postgres import Tx

__all__ = ["Matcher"]

_SPARE: Final = 1
"""Tickets loaded of each pool beyond the room to come: some are not for everybody."""
_LOADED_MAX: Final = 1_000
_WIDER: Final = 8
"""Times as many when that was too few."""
_DUE_MAX: Final = 500
"""Tickets that time wakes, in one transaction; the sweep asks again at once."""


class _Concern(NamedTuple):
    """What a decision is about, apart from who waits."""

    envelopes: Sequence[Envelope[Event]] = ()
    tickets: Collection[UUID] = ()
    people: Collection[str] = ()
    due: Collection[UUID] = ()
    """Tickets that time wakes."""


class Matcher:
    """Decides, one transaction at a time, on a roster that it remembers."""

    def __init__(self, rules: Rules) -> None:
        self._memory = Memory(rules)

    def alone(self, tx: Tx) -> AbstractAsyncContextManager[None]:
        """Become the only one who matches until ``tx`` ends, for what is read to be still so."""
        return self._memory.alone(tx)

    async def take(self, tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime) -> None:
        """Fold fresh events in, match, save, and announce who has what and why."""

        def apply_all(desk: Desk, book: Book) -> None:
            for envelope in envelopes:
                callbacks.follow(desk, book, envelope)

        async with self._memory.lent(tx) as remembered:
            await _decide(tx, remembered, _Concern(envelopes), now, apply_all)

    async def act(self, tx: Tx, wanted: Act, now: datetime, word: str | None = None) -> Outcome:
        """Let somebody act, once: done again, it has the same answer.

        Done again is what comes under the same ``word``, or else is in vain and was done just
        before. Raises Unknown, Conflict, OtherAct.
        """
        async with self.alone(tx):
            before = word and await kept.asked_before(tx, word, deed_of(wanted))
            if before:
                return before
            try:
                async with self._memory.lent(tx) as remembered:
                    done = await _act(tx, remembered, wanted, now)
            except Conflict:
                before = await kept.done_before(tx, deed_of(wanted), since=now - REPEATED_WITHIN)
                if before is None:
                    raise
                return before
            await kept.add_act(tx, replace(done, word=word), at=now)
            return done.outcome

    async def say(self, tx: Tx, word: Word, now: datetime) -> None:
        """Take what a specialist says of themselves. Raises Unknown.

        A heartbeat that says what was said before disturbs no decision.
        """
        name = word.specialist_id
        beat = word if isinstance(word, Say) and not word.hand_back else None
        if beat is None or not await self.say_again(tx, name, now, beat.presence):
            async with self._memory.lent(tx) as remembered:
                concern = _Concern(people={name})
                await _decide(tx, remembered, concern, now, lambda desk, _: say(desk, word))

    async def say_again(
        self, tx: Tx, name: str, now: datetime, presence: Presence | None = None
    ) -> bool:
        """Prolong somebody's word, whatever it is or if it is that; False where there is none."""
        rules = await kept.load_rules(tx)
        until = now + timedelta(seconds=rules.presence_lease_s)
        return await kept.say_again(tx, name, presence, now=now, until=until)

    async def dial(self, tx: Tx, dialled: Dial, now: datetime) -> Call:
        """Take down what came of a call. Raises NoCallback, Settled, Stranger."""
        act = partial(callbacks.dial, dialled=dialled, now=now)
        async with self._memory.lent(tx) as remembered:
            return await _decide(tx, remembered, _Concern(tickets={dialled.ticket_id}), now, act)

    async def why_waiting(self, tx: Tx, pools: Iterable[Pool]) -> dict[Pool, Waits]:
        """Say why those of some pools wait, as the roster is now."""
        async with self._memory.looked_at(tx) as roster:
            return {pool: roster.why_waiting(pool) for pool in pools}

    async def wake(self, tx: Tx, now: datetime) -> None:
        """Do what time alone brings: shifts, presence, leases and graces end, calls are due."""
        act = partial(callbacks.remind, now=now)
        async with self._memory.lent(tx) as remembered:
            due = await ticket_store.due(tx, now, limit=_DUE_MAX)
            concern = _Concern(tickets=await ledgers.due(tx), due=due)
            await _decide(tx, remembered, concern, now, act)


async def _act(tx: Tx, remembered: Remembered, wanted: Act, now: datetime) -> Done:
    offer = None
    if isinstance(wanted, Accept | DeclineOffer):
        offer = await kept.find_offer(tx, wanted.offer_id)
        tickets = {offer.ticket_id} if offer else set()
    else:
        tickets = {wanted.ticket_id}

    def act(desk: Desk, book: Book) -> Done:
        done = do(desk, wanted, offer)
        callbacks.hear(desk, book)
        return done

    return await _decide(tx, remembered, _Concern(tickets=tickets), now, act)


async def _decide[T](
    tx: Tx,
    remembered: Remembered,
    concern: _Concern,
    now: datetime,
    act: Callable[[Desk, Book], T],
) -> T:
    """Load, decide, save, announce; when it took more of a queue than was loaded, load more."""
    roster, rules = remembered.roster, remembered.offering
    changing = _changing(concern)
    stale = {one.specialist_id for one in roster.due(now)}
    roster.prolong(await kept.load_words(tx, changing | stale))
    turning = {one.specialist_id for one in roster.turning(now)}
    shifts = await load_shifts(tx, turning)
    pages = await ledgers.load(tx, concern.envelopes, _tickets(concern))
    ids = _tickets(concern) | pages.ticket_ids
    newly_known = await ticket_store.load_affinities(tx, _new_accounts(concern))
    limits: dict[Pool, int] = {}
    while True:
        tickets, known = await ticket_store.load_tickets(tx, ids, changing | turning)
        desk, book = Desk(roster, tickets, now, rules), pages.open()
        limits = limits or _limits(desk, concern)
        waiting, known_too = await ticket_store.load_waiting(tx, limits)
        desk.bring_waiting(waiting, limits)
        desk.acquaintances |= known | known_too | newly_known
        desk.wake(shifts, concern.due)
        outcome = act(desk, book)
        short = desk.fell_short
        if not short:
            break
        limits |= {pool: limits.get(pool, _SPARE) * _WIDER for pool in short}
        roster.restore()
    remembered.version = await ticket_store.save(tx, desk)
    await ledgers.save(tx, book, desk, _accepted(concern))
    announced = [*book.announced, *desk.announced, *await coverage.keep(tx, desk, now)]
    await outbox.add(tx, announced)
    await ticket_history.record(tx, [*concern.envelopes, *announced], desk.tickets)
    return outcome


def _changing(concern: _Concern) -> set[str]:
    """Name those of whom tickets may be taken: they leave, or come and go."""
    events = [envelope.event for envelope in concern.envelopes]
    changes = [e for e in events if isinstance(e, SpecialistListed | SpecialistRemoved)]
    return {change.specialist_id for change in changes}.union(concern.people)


def _tickets(concern: _Concern) -> set[UUID]:
    told_of = {e.event.ticket_id for e in concern.envelopes if isinstance(e.event, FACTS)}
    return told_of.union(concern.tickets, concern.due)


def _limits(desk: Desk, concern: _Concern) -> dict[Pool, int]:
    coming = desk.to_come(concern.envelopes, concern.people)
    return {pool: min(_SPARE + max(0, room), _LOADED_MAX) for pool, room in coming.items()}


def _accepted(concern: _Concern) -> list[UUID]:
    events = [envelope.event for envelope in concern.envelopes]
    return [event.ticket_id for event in events if isinstance(event, TicketAccepted)]


def _new_accounts(concern: _Concern) -> set[str]:
    events = [envelope.event for envelope in concern.envelopes]
    return {event.account_id for event in events if isinstance(event, TicketAccepted)}
