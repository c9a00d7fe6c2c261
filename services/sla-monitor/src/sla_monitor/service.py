"""Updates the clocks of tickets when facts arrive or declared exceptions change."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.events import (
    AssignmentFact,
    ClockStarted,
    Envelope,
    Event,
    NotificationFact,
    PolicyPublished,
    TicketAccepted,
    TicketFact,
)
from shared.platform import outbox
from shared.platform.postgres import Tx
from shared.sla.policies import ExceptionWindow
from sla_monitor import domain
from sla_monitor.domain import Announced, Cause, Clock, ExceptionOf, Fact, Key
from sla_monitor.partitions import Partitions
from sla_monitor.store import clocks as clock_store
from sla_monitor.store import reevaluation as reevaluations
from sla_monitor.telemetry import SKIPPED

__all__ = ["ClockService", "exception_of"]

_WORK_ALERTS: Final = ("assignment", "callback")

type _Cause = tuple[UUID, Cause]
"""A ticket, and the fact or change that may affect its clocks."""


class ClockService:
    """Derives the clocks of tickets from their facts, and saves and announces the changes."""

    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions

    async def handle(self, tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime) -> None:
        """Handle new facts one by one, so that the announcements do not depend on batch limits."""
        await _declare(tx, envelopes)
        new = [e for e in envelopes if _affects_clocks(e.event)]
        await self._update(tx, [(_ticket_of(fact), fact) for fact in new], new, now)

    async def reevaluate(self, tx: Tx, causes: Sequence[_Cause], now: datetime) -> None:
        """Evaluate tickets again, after a change of declared exceptions."""
        await self._update(tx, causes, (), now)

    async def _update(
        self, tx: Tx, causes: Sequence[_Cause], new: Sequence[Fact], now: datetime
    ) -> None:
        ticket_ids = sorted({ticket_id for ticket_id, _ in causes})
        await clock_store.lock(tx, ticket_ids)
        known = await clock_store.facts(tx, ticket_ids)
        before = await clock_store.clocks(tx, ticket_ids)
        declared = exception_of(await reevaluations.windows(tx))
        batch = _Batch(known, _by_ticket(before), declared, now)
        for ticket_id, cause in causes:
            batch.apply(ticket_id, cause)
        await clock_store.add_facts(tx, new, now=now)
        await self._save(tx, before, batch.after())
        await outbox.add(tx, batch.outgoing)

    async def _save(self, tx: Tx, before: dict[Key, Clock], after: Iterable[Clock]) -> None:
        changed = [clock for clock in after if before.get(clock.key) != clock]
        placed = [(clock, self._partitions.of(clock.ticket_id)) for clock in changed]
        await clock_store.save_clocks(tx, placed)
        more: Counter[int] = Counter()
        for clock, partition in placed:
            old = before.get(clock.key)
            more[partition] += clock.is_open - (old is not None and old.is_open)
        await clock_store.count_open(tx, {p: more[p] for p in sorted(more) if more[p]})


@dataclass(slots=True)
class _Batch:
    """The state of one transaction: known facts, current clocks, and events to announce."""

    known: dict[UUID, list[Fact]]
    clocks: dict[UUID, dict[Key, Clock]]
    exception_of: ExceptionOf
    now: datetime
    announced: list[Announced] = field(default_factory=list)

    def apply(self, ticket_id: UUID, cause: Cause) -> None:
        """Update a ticket's clocks for ``cause``: a new fact, or a change of exceptions."""
        if isinstance(cause, Envelope):
            self.known[ticket_id].append(cause)
        clocks = self.clocks[ticket_id]
        derived = domain.derive(self.known[ticket_id], self.exception_of)
        owed = {new.key for new in derived}
        for gone in [clock for key, clock in clocks.items() if key not in owed]:
            self._keep(domain.withdraw(gone, cause))
        for new in derived:
            old = clocks.get(new.key)
            self._keep(domain.update_clock(old, new, cause, now=self.now))

    @property
    def outgoing(self) -> list[Announced]:
        """The events to announce; each `ClockStarted` for the request gets its ``as_accepted``."""
        return [_marked(one, self.known) for one in self.announced]

    def after(self) -> Iterator[Clock]:
        """All clocks after the changes."""
        return (clock for clocks in self.clocks.values() for clock in clocks.values())

    def _keep(self, update: domain.ClockUpdate) -> None:
        clock = update.clock
        self.clocks[clock.ticket_id][clock.key] = clock
        self.announced += update.announced
        SKIPPED.inc(update.skipped)


def _marked(announced: Announced, known: Mapping[UUID, Iterable[Fact]]) -> Announced:
    """Set ``as_accepted`` of a `ClockStarted`: whether TicketAccepted had the same due time."""
    event = announced.event
    if not isinstance(event, ClockStarted) or event.cycle is not None:
        return announced
    facts = (fact.event for fact in known[event.ticket_id])
    accepted = (fact for fact in facts if isinstance(fact, TicketAccepted))
    dues = {p.due_at for fact in accepted for p in fact.promises if p.kind == event.kind}
    as_accepted = dues == {event.due_at}
    return replace(announced, event=event.model_copy(update={"as_accepted": as_accepted}))


def _affects_clocks(event: Event) -> bool:
    """Return whether an event can affect a clock; a notification, if of an assignment or call."""
    if isinstance(event, NotificationFact):
        return event.alert in _WORK_ALERTS
    return isinstance(event, TicketFact | AssignmentFact)


async def _declare(tx: Tx, envelopes: Iterable[Envelope[Event]]) -> None:
    """Save declared exceptions, and queue the reevaluation of the tickets they may affect."""
    for envelope in envelopes:
        event = envelope.event
        if isinstance(event, PolicyPublished) and await reevaluations.put_in_force(
            tx, event.policy_id, envelope.time
        ):
            spans = await reevaluations.replace_windows(tx, event.document)
            if spans:
                await reevaluations.add(tx, envelope, event.policy_id, spans)


def exception_of(windows: Sequence[ExceptionWindow]) -> ExceptionOf:
    """Make the function that returns the first declared exception that covers a ticket."""

    def name(accepted: TicketAccepted, create_date: datetime) -> str | None:
        asked = accepted.asked(accepted.severity)
        return next((w.name for w in windows if w.holds(asked, create_date)), None)

    return name


def _by_ticket(clocks: dict[Key, Clock]) -> dict[UUID, dict[Key, Clock]]:
    found: dict[UUID, dict[Key, Clock]] = defaultdict(dict)
    for key, clock in clocks.items():
        found[clock.ticket_id][key] = clock
    return found


def _ticket_of(fact: Fact) -> UUID:
    return UUID(fact.event.subject)
