"""The use cases of routing: events, commands and timers lead to offers and assignments."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
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

_EXTRA: Final = 1
"""Waiting tickets to load of each pool beyond the estimate, because some may be excluded."""
_LOADED_MAX: Final = 1_000
_MORE_FACTOR: Final = 8
"""Factor by which more tickets are loaded if the first ones did not suffice."""
_DUE_MAX: Final = 500
"""Limit of due tickets in one transaction; the sweep processes the others at once."""


class _DecisionInput(NamedTuple):
    """What a decision is about, besides the waiting tickets."""

    envelopes: Sequence[Envelope[Event]] = ()
    tickets: Collection[UUID] = ()
    specialists: Collection[str] = ()
    due: Collection[UUID] = ()
    """Tickets whose timer is due."""


class RoutingService:
    """The use cases: each loads, decides, saves and announces in its caller's transaction.

    Of all routers one transaction decides at a time: it holds the matching lock.
    """

    def __init__(self, rules: MatchingRules) -> None:
        self._cache = RosterCache(rules)

    def matching_lock(self, tx: Tx) -> AbstractAsyncContextManager[None]:
        """Hold the matching lock until ``tx`` ends, so that what is read does not change."""
        return self._cache.matching_lock(tx)

    async def apply_events(
        self, tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime
    ) -> None:
        """Apply new events, then save and announce the decisions that follow."""

        def apply_all(session: AssignmentSession, ledgers: LedgerSession) -> None:
            for envelope in envelopes:
                callbacks.apply_event(session, ledgers, envelope)

        async with self._cache.hold_roster(tx) as held:
            await _decide(tx, held, _DecisionInput(envelopes), now, apply_all)

    async def execute(self, tx: Tx, command: Command, now: datetime) -> CommandOutcome:
        """Execute a command; a repeated one has the same outcome, and no effect.

        It is repeated if it conflicts, and the same person gave it within `REPEATED_WITHIN`.

        Raises:
            Unknown: the ticket, offer or specialist does not exist.
            Conflict: the command is not possible in the present state.
        """
        async with self.matching_lock(tx):
            try:
                async with self._cache.hold_roster(tx) as held:
                    done = await _execute(tx, held, command, now)
            except Conflict:
                since = now - REPEATED_WITHIN
                before = await offer_store.outcome_of_repeated(
                    tx, identity_of(command), since=since
                )
                if before is None:
                    raise
                return before
            await offer_store.record_command(tx, done, at=now)
            return done.outcome

    async def report_presence(self, tx: Tx, command: PresenceCommand, now: datetime) -> None:
        """Apply a presence report.

        A heartbeat that changes nothing only renews the presence, without the matching lock.

        Raises:
            Unknown: the specialist does not exist.
        """
        name = command.specialist_id
        heartbeat = None
        if isinstance(command, PresenceReport) and not command.hand_back:
            heartbeat = command
        if heartbeat is None or not await self.renew_presence(tx, name, now, heartbeat.presence):
            async with self._cache.hold_roster(tx) as held:
                given = _DecisionInput(specialists={name})
                await _decide(
                    tx, held, given, now, lambda session, _: report_presence(session, command)
                )

    async def renew_presence(
        self, tx: Tx, name: str, now: datetime, presence: Presence | None = None
    ) -> bool:
        """Renew a reported presence that has not lapsed; return False if there is none.

        With ``presence``, only a report of that presence is renewed.
        """
        rules = await offer_store.load_rules(tx)
        until = now + timedelta(seconds=rules.presence_lease_s)
        return await offer_store.renew_presence(tx, name, presence, now=now, until=until)

    async def record_attempt(self, tx: Tx, report: CallReport, now: datetime) -> Call:
        """Record a report of a call; return the call as it is after that.

        Raises:
            UnknownSpecialist: the specialist was never on the roster.
            NoCallback: no call was owed on the ticket then.
            AlreadySettled: the customer was spoken to before.
        """
        decide = partial(callbacks.record_attempt, report=report, now=now)
        async with self._cache.hold_roster(tx) as held:
            return await _decide(tx, held, _DecisionInput(tickets={report.ticket_id}), now, decide)

    async def why_waiting(self, tx: Tx, pools: Iterable[Pool]) -> dict[Pool, WaitReason]:
        """Return why the tickets of some pools wait, as of now."""
        async with self._cache.read_roster(tx) as roster:
            return {pool: roster.why_waiting(pool) for pool in pools}

    async def wake(self, tx: Tx, now: datetime) -> None:
        """Apply all timers that are due, and announce the reminders of planned calls."""
        decide = partial(callbacks.announce_reminders, now=now)
        async with self._cache.hold_roster(tx) as held:
            due = await ticket_store.due(tx, now, limit=_DUE_MAX)
            given = _DecisionInput(tickets=await callback_store.due(tx), due=due)
            await _decide(tx, held, given, now, decide)


async def _execute(tx: Tx, held: HeldRoster, command: Command, now: datetime) -> ExecutedCommand:
    offer = None
    if isinstance(command, Accept | DeclineOffer):
        offer = await offer_store.find_offer(tx, command.offer_id)
        tickets = {offer.ticket_id} if offer else set()
    else:
        tickets = {command.ticket_id}

    def decide(session: AssignmentSession, ledgers: LedgerSession) -> ExecutedCommand:
        done = execute(session, command, offer)
        callbacks.apply_responses(session, ledgers)
        return done

    return await _decide(tx, held, _DecisionInput(tickets=tickets), now, decide)


async def _decide[T](
    tx: Tx,
    held: HeldRoster,
    given: _DecisionInput,
    now: datetime,
    decide: Callable[[AssignmentSession, LedgerSession], T],
) -> T:
    """Load, decide, save and announce; if too few waiting tickets were loaded, load more."""
    roster, rules = held.roster, held.offer_rules
    affected = _affected_specialists(given)
    due = {one.specialist_id for one in roster.due(now)}
    roster.extend_presence(await offer_store.load_presence_until(tx, affected | due))
    due_batch = {one.specialist_id for one in roster.due_batch(now)}
    shifts = await load_shifts(tx, due_batch)
    loaded = await callback_store.load(tx, given.envelopes, _tickets(given))
    ids = _tickets(given) | loaded.ticket_ids
    newly_known = await ticket_store.load_affinities(tx, _new_accounts(given))
    limits: dict[Pool, int] = {}
    while True:
        tickets, known = await ticket_store.load_tickets(tx, ids, affected | due_batch)
        session, ledgers = AssignmentSession(roster, tickets, now, rules), loaded.open()
        state = session.state
        limits = limits or _limits(session, given)
        waiting, known_too = await ticket_store.load_waiting(tx, limits)
        session.dispatcher.add_waiting(waiting, limits)
        state.affinities |= known | known_too | newly_known
        session.wake(shifts, given.due)
        outcome = decide(session, ledgers)
        short = session.dispatcher.insufficiently_loaded
        if not short:
            break
        limits |= {pool: limits.get(pool, _EXTRA) * _MORE_FACTOR for pool in short}
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


def _affected_specialists(given: _DecisionInput) -> set[str]:
    """Return the specialists who may lose tickets: removed, or with changed entry or presence."""
    events = [envelope.event for envelope in given.envelopes]
    changes = [e for e in events if isinstance(e, SpecialistListed | SpecialistRemoved)]
    return {change.specialist_id for change in changes}.union(given.specialists)


def _tickets(given: _DecisionInput) -> set[UUID]:
    named = {e.event.ticket_id for e in given.envelopes if isinstance(e.event, FACTS)}
    return named.union(given.tickets, given.due)


def _limits(session: AssignmentSession, given: _DecisionInput) -> dict[Pool, int]:
    coming = session.estimate_allocations(given.envelopes, given.specialists)
    return {pool: min(_EXTRA + max(0, room), _LOADED_MAX) for pool, room in coming.items()}


def _accepted(given: _DecisionInput) -> list[UUID]:
    events = [envelope.event for envelope in given.envelopes]
    return [event.ticket_id for event in events if isinstance(event, TicketAccepted)]


def _new_accounts(given: _DecisionInput) -> set[str]:
    events = [envelope.event for envelope in given.envelopes]
    return {event.account_id for event in events if isinstance(event, TicketAccepted)}
