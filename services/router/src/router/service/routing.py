"""The use cases of routing: events, commands and time lead to offers and assignments."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

from router.domain import callbacks
from router.domain.assignment.session import AssignmentSession
from router.domain.callbacks import Book, Call, Dial
from router.domain.command_handlers import execute, report_presence
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

__all__ = ["RoutingService"]

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


class RoutingService:
    """Runs one transaction at a time, on a cached roster: load, decide, save, announce."""

    def __init__(self, rules: Rules) -> None:
        self._memory = Memory(rules)

    def alone(self, tx: Tx) -> AbstractAsyncContextManager[None]:
        """Hold the matching lock until ``tx`` ends, so that what is read stays true."""
        return self._memory.alone(tx)

    async def take(self, tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime) -> None:
        """Apply new events, match, save, and announce assignments with their reasons."""

        def apply_all(session: AssignmentSession, book: Book) -> None:
            for envelope in envelopes:
                callbacks.follow(session, book, envelope)

        async with self._memory.lent(tx) as remembered:
            await _decide(tx, remembered, _Concern(envelopes), now, apply_all)

    async def execute(self, tx: Tx, wanted: Act, now: datetime, word: str | None = None) -> Outcome:
        """Execute a command once; a repeated one has the same outcome and no effect.

        A command is repeated if it comes under the same idempotency key (``word``), or if it
        conflicts and the same person gave it in the last minutes.

        Raises:
            Unknown: the ticket, offer or specialist does not exist.
            Conflict: the command is not possible as things are.
            OtherAct: the key came with another command.
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

    async def report_presence(self, tx: Tx, word: Word, now: datetime) -> None:
        """Apply a presence report; a heartbeat that changes nothing only renews it, without a lock.

        Raises:
            Unknown: the specialist does not exist.
        """
        name = word.specialist_id
        beat = word if isinstance(word, Say) and not word.hand_back else None
        if beat is None or not await self.renew_presence(tx, name, now, beat.presence):
            async with self._memory.lent(tx) as remembered:
                concern = _Concern(people={name})
                await _decide(
                    tx, remembered, concern, now, lambda session, _: report_presence(session, word)
                )

    async def renew_presence(
        self, tx: Tx, name: str, now: datetime, presence: Presence | None = None
    ) -> bool:
        """Renew a reported presence that still holds; return False if there is none.

        With ``presence``, only a report of that presence counts.
        """
        rules = await kept.load_rules(tx)
        until = now + timedelta(seconds=rules.presence_lease_s)
        return await kept.say_again(tx, name, presence, now=now, until=until)

    async def dial(self, tx: Tx, dialled: Dial, now: datetime) -> Call:
        """Record the result of a call. Raises NoCallback, Settled, Stranger."""
        act = partial(callbacks.dial, dialled=dialled, now=now)
        async with self._memory.lent(tx) as remembered:
            return await _decide(tx, remembered, _Concern(tickets={dialled.ticket_id}), now, act)

    async def why_waiting(self, tx: Tx, pools: Iterable[Pool]) -> dict[Pool, Waits]:
        """Return why tickets of some pools wait, by the roster as it is now."""
        async with self._memory.looked_at(tx) as roster:
            return {pool: roster.why_waiting(pool) for pool in pools}

    async def wake(self, tx: Tx, now: datetime) -> None:
        """Apply what is due: ends of shifts, presence, leases and graces, and planned calls."""
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

    def act(session: AssignmentSession, book: Book) -> Done:
        done = execute(session, wanted, offer)
        callbacks.hear(session, book)
        return done

    return await _decide(tx, remembered, _Concern(tickets=tickets), now, act)


async def _decide[T](
    tx: Tx,
    remembered: Remembered,
    concern: _Concern,
    now: datetime,
    act: Callable[[AssignmentSession, Book], T],
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
        session, book = AssignmentSession(roster, tickets, now, rules), pages.open()
        state = session.state
        limits = limits or _limits(session, concern)
        waiting, known_too = await ticket_store.load_waiting(tx, limits)
        session.dispatcher.add_waiting(waiting, limits)
        state.affinities |= known | known_too | newly_known
        session.wake(shifts, concern.due)
        outcome = act(session, book)
        short = session.dispatcher.insufficiently_loaded
        if not short:
            break
        limits |= {pool: limits.get(pool, _SPARE) * _WIDER for pool in short}
        roster.restore()
    remembered.version = await ticket_store.save(tx, state)
    await ledgers.save(tx, book, state, _accepted(concern))
    announced = [*book.announced, *state.announced, *await coverage.keep(tx, state, now)]
    await outbox.add(tx, announced)
    await ticket_history.record(tx, [*concern.envelopes, *announced], state.tickets)
    return outcome


def _changing(concern: _Concern) -> set[str]:
    """Name those of whom tickets may be taken: they leave, or come and go."""
    events = [envelope.event for envelope in concern.envelopes]
    changes = [e for e in events if isinstance(e, SpecialistListed | SpecialistRemoved)]
    return {change.specialist_id for change in changes}.union(concern.people)


def _tickets(concern: _Concern) -> set[UUID]:
    told_of = {e.event.ticket_id for e in concern.envelopes if isinstance(e.event, FACTS)}
    return told_of.union(concern.tickets, concern.due)


def _limits(session: AssignmentSession, concern: _Concern) -> dict[Pool, int]:
    coming = session.estimate_allocations(concern.envelopes, concern.people)
    return {pool: min(_SPARE + max(0, room), _LOADED_MAX) for pool, room in coming.items()}


def _accepted(concern: _Concern) -> list[UUID]:
    events = [envelope.event for envelope in concern.envelopes]
    return [event.ticket_id for event in events if isinstance(event, TicketAccepted)]


def _new_accounts(concern: _Concern) -> set[str]:
    events = [envelope.event for envelope in concern.envelopes]
    return {event.account_id for event in events if isinstance(event, TicketAccepted)}
