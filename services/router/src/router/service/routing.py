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
from router.domain.callbacks import Call, CallReport, LedgerSession
from router.domain.command_handlers import execute, report_presence
from router.domain.commands import (
    REPEATED_WITHIN,
    Accept,
    Command,
    CommandOutcome,
    Conflict,
    DeclineOffer,
    ExecutedCommand,
    PresenceCommand,
    PresenceReport,
    identity_of,
)
from router.domain.matching import MatchingRules, Pool
from router.domain.roster import WaitReason
from router.domain.ticket import FACTS
from router.service import coverage
from router.service.roster_cache import HeldRoster, RosterCache
from router.store import callbacks as callback_store
from router.store import offers as offer_store
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


class _DecisionInput(NamedTuple):
    """What a decision is about, apart from who waits."""

    envelopes: Sequence[Envelope[Event]] = ()
    tickets: Collection[UUID] = ()
    specialists: Collection[str] = ()
    due: Collection[UUID] = ()
    """Tickets that time wakes."""


class RoutingService:
    """Runs one transaction at a time, on a cached roster: load, decide, save, announce."""

    def __init__(self, rules: MatchingRules) -> None:
        self._cache = RosterCache(rules)

    def matching_lock(self, tx: Tx) -> AbstractAsyncContextManager[None]:
        """Hold the matching lock until ``tx`` ends, so that what is read stays true."""
        return self._cache.matching_lock(tx)

    async def apply_events(
        self, tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime
    ) -> None:
        """Apply new events, match, save, and announce assignments with their reasons."""

        def apply_all(session: AssignmentSession, ledgers: LedgerSession) -> None:
            for envelope in envelopes:
                callbacks.apply_event(session, ledgers, envelope)

        async with self._cache.hold_roster(tx) as held:
            await _decide(tx, held, _DecisionInput(envelopes), now, apply_all)

    async def execute(
        self, tx: Tx, wanted: Command, now: datetime, word: str | None = None
    ) -> CommandOutcome:
        """Execute a command once; a repeated one has the same outcome and no effect.

        A command is repeated if it comes under the same idempotency key (``word``), or if it
        conflicts and the same person gave it in the last minutes.

        Raises:
            Unknown: the ticket, offer or specialist does not exist.
            Conflict: the command is not possible as things are.
            OtherAct: the key came with another command.
        """
        async with self.matching_lock(tx):
            before = word and await offer_store.outcome_of_key(tx, word, identity_of(wanted))
            if before:
                return before
            try:
                async with self._cache.hold_roster(tx) as held:
                    done = await _act(tx, held, wanted, now)
            except Conflict:
                before = await offer_store.outcome_of_repeated(
                    tx, identity_of(wanted), since=now - REPEATED_WITHIN
                )
                if before is None:
                    raise
                return before
            await offer_store.record_command(tx, replace(done, word=word), at=now)
            return done.outcome

    async def report_presence(self, tx: Tx, word: PresenceCommand, now: datetime) -> None:
        """Apply a presence report; a heartbeat that changes nothing only renews it, without a lock.

        Raises:
            Unknown: the specialist does not exist.
        """
        name = word.specialist_id
        beat = word if isinstance(word, PresenceReport) and not word.hand_back else None
        if beat is None or not await self.renew_presence(tx, name, now, beat.presence):
            async with self._cache.hold_roster(tx) as held:
                given = _DecisionInput(specialists={name})
                await _decide(
                    tx, held, given, now, lambda session, _: report_presence(session, word)
                )

    async def renew_presence(
        self, tx: Tx, name: str, now: datetime, presence: Presence | None = None
    ) -> bool:
        """Renew a reported presence that still holds; return False if there is none.

        With ``presence``, only a report of that presence counts.
        """
        rules = await offer_store.load_rules(tx)
        until = now + timedelta(seconds=rules.presence_lease_s)
        return await offer_store.renew_presence(tx, name, presence, now=now, until=until)

    async def record_attempt(self, tx: Tx, report: CallReport, now: datetime) -> Call:
        """Record the result of a call. Raises NoCallback, Settled, Stranger."""
        act = partial(callbacks.record_attempt, report=report, now=now)
        async with self._cache.hold_roster(tx) as held:
            return await _decide(tx, held, _DecisionInput(tickets={report.ticket_id}), now, act)

    async def why_waiting(self, tx: Tx, pools: Iterable[Pool]) -> dict[Pool, WaitReason]:
        """Return why tickets of some pools wait, by the roster as it is now."""
        async with self._cache.read_roster(tx) as roster:
            return {pool: roster.why_waiting(pool) for pool in pools}

    async def wake(self, tx: Tx, now: datetime) -> None:
        """Apply what is due: ends of shifts, presence, leases and graces, and planned calls."""
        act = partial(callbacks.announce_reminders, now=now)
        async with self._cache.hold_roster(tx) as held:
            due = await ticket_store.due(tx, now, limit=_DUE_MAX)
            given = _DecisionInput(tickets=await callback_store.due(tx), due=due)
            await _decide(tx, held, given, now, act)


async def _act(tx: Tx, held: HeldRoster, wanted: Command, now: datetime) -> ExecutedCommand:
    offer = None
    if isinstance(wanted, Accept | DeclineOffer):
        offer = await offer_store.find_offer(tx, wanted.offer_id)
        tickets = {offer.ticket_id} if offer else set()
    else:
        tickets = {wanted.ticket_id}

    def act(session: AssignmentSession, ledgers: LedgerSession) -> ExecutedCommand:
        done = execute(session, wanted, offer)
        callbacks.apply_responses(session, ledgers)
        return done

    return await _decide(tx, held, _DecisionInput(tickets=tickets), now, act)


async def _decide[T](
    tx: Tx,
    held: HeldRoster,
    given: _DecisionInput,
    now: datetime,
    act: Callable[[AssignmentSession, LedgerSession], T],
) -> T:
    """Load, decide, save, announce; when it took more of a queue than was loaded, load more."""
    roster, rules = held.roster, held.offer_rules
    changing = _changing(given)
    stale = {one.specialist_id for one in roster.due(now)}
    roster.extend_presence(await offer_store.load_presence_until(tx, changing | stale))
    turning = {one.specialist_id for one in roster.due_batch(now)}
    shifts = await load_shifts(tx, turning)
    loaded = await callback_store.load(tx, given.envelopes, _tickets(given))
    ids = _tickets(given) | loaded.ticket_ids
    newly_known = await ticket_store.load_affinities(tx, _new_accounts(given))
    limits: dict[Pool, int] = {}
    while True:
        tickets, known = await ticket_store.load_tickets(tx, ids, changing | turning)
        session, ledgers = AssignmentSession(roster, tickets, now, rules), loaded.open()
        state = session.state
        limits = limits or _limits(session, given)
        waiting, known_too = await ticket_store.load_waiting(tx, limits)
        session.dispatcher.add_waiting(waiting, limits)
        state.affinities |= known | known_too | newly_known
        session.wake(shifts, given.due)
        outcome = act(session, ledgers)
        short = session.dispatcher.insufficiently_loaded
        if not short:
            break
        limits |= {pool: limits.get(pool, _SPARE) * _WIDER for pool in short}
        roster.roll_back()
    held.version = await ticket_store.save(tx, state)
    await callback_store.save(tx, ledgers, state, _accepted(given))
    announced = [
        *ledgers.announced,
        *state.announced,
        *await coverage.update_infeasible(tx, state, now),
    ]
    await outbox.add(tx, announced)
    await ticket_history.record(tx, [*given.envelopes, *announced], state.tickets)
    return outcome


def _changing(given: _DecisionInput) -> set[str]:
    """Name those of whom tickets may be taken: they leave, or come and go."""
    events = [envelope.event for envelope in given.envelopes]
    changes = [e for e in events if isinstance(e, SpecialistListed | SpecialistRemoved)]
    return {change.specialist_id for change in changes}.union(given.specialists)


def _tickets(given: _DecisionInput) -> set[UUID]:
    told_of = {e.event.ticket_id for e in given.envelopes if isinstance(e.event, FACTS)}
    return told_of.union(given.tickets, given.due)


def _limits(session: AssignmentSession, given: _DecisionInput) -> dict[Pool, int]:
    coming = session.estimate_allocations(given.envelopes, given.specialists)
    return {pool: min(_SPARE + max(0, room), _LOADED_MAX) for pool, room in coming.items()}


def _accepted(given: _DecisionInput) -> list[UUID]:
    events = [envelope.event for envelope in given.envelopes]
    return [event.ticket_id for event in events if isinstance(event, TicketAccepted)]


def _new_accounts(given: _DecisionInput) -> set[str]:
    events = [envelope.event for envelope in given.envelopes]
    return {event.account_id for event in events if isinstance(event, TicketAccepted)}
