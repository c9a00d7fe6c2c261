"""Facts about tickets move their clocks."""

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

__all__ = ["Folding", "exception_of"]

_HANDS: Final = ("assignment", "callback")

type _Cause = tuple[UUID, Cause]
"""A ticket, and the news that may move its clocks."""


class Folding:
    """Folds facts into the clocks of their tickets."""

    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions

    async def take(self, tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime) -> None:
        """Fold fresh facts, one after another, so that no batch's edges show in what is said."""
        await _declare(tx, envelopes)
        new = [e for e in envelopes if _matters(e.event)]
        await self._fold(tx, [(_ticket_of(fact), fact) for fact in new], new, now)

    async def refold(self, tx: Tx, causes: Sequence[_Cause], now: datetime) -> None:
        """Judge tickets again, each for its cause: what is declared has changed."""
        await self._fold(tx, causes, (), now)

    async def _fold(
        self, tx: Tx, causes: Sequence[_Cause], new: Sequence[Fact], now: datetime
    ) -> None:
        ticket_ids = sorted({ticket_id for ticket_id, _ in causes})
        await clock_store.lock(tx, ticket_ids)
        known = await clock_store.facts(tx, ticket_ids)
        before = await clock_store.clocks(tx, ticket_ids)
        fold = _Fold(known, _by_ticket(before), exception_of(await reevaluations.windows(tx)), now)
        for ticket_id, cause in causes:
            fold.learn(ticket_id, cause)
        await clock_store.add_facts(tx, new, now=now)
        await self._save(tx, before, fold.after())
        await outbox.add(tx, fold.outgoing)

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
class _Fold:
    """What one transaction folds: all that is known, and what comes of it."""

    known: dict[UUID, list[Fact]]
    clocks: dict[UUID, dict[Key, Clock]]
    exception_of: ExceptionOf
    now: datetime
    announced: list[Announced] = field(default_factory=list)

    def learn(self, ticket_id: UUID, cause: Cause) -> None:
        """Bring a ticket's clocks to what is known since ``cause`` came."""
        if isinstance(cause, Envelope):
            self.known[ticket_id].append(cause)
        clocks = self.clocks[ticket_id]
        truths = domain.derive(self.known[ticket_id], self.exception_of)
        owed = {truth.key for truth in truths}
        for gone in [clock for key, clock in clocks.items() if key not in owed]:
            self._keep(domain.withdraw(gone, cause))
        for truth in truths:
            old = clocks.get(truth.key)
            self._keep(domain.fold(old, truth, cause, now=self.now))

    @property
    def outgoing(self) -> list[Announced]:
        """What is to be announced; of a clock that starts as accepted, that it does."""
        return [_marked(one, self.known) for one in self.announced]

    def after(self) -> Iterator[Clock]:
        """All clocks as they are now."""
        return (clock for clocks in self.clocks.values() for clock in clocks.values())

    def _keep(self, outcome: domain.Outcome) -> None:
        clock = outcome.clock
        self.clocks[clock.ticket_id][clock.key] = clock
        self.announced += outcome.announced
        SKIPPED.inc(outcome.skipped)


def _marked(announced: Announced, known: Mapping[UUID, Iterable[Fact]]) -> Announced:
    """Say of a clock's start whether it tells readers of the accepted fact anything new."""
    event = announced.event
    if not isinstance(event, ClockStarted) or event.cycle is not None:
        return announced
    facts = (fact.event for fact in known[event.ticket_id])
    accepted = (fact for fact in facts if isinstance(fact, TicketAccepted))
    dues = {p.due_at for fact in accepted for p in fact.promises if p.kind == event.kind}
    as_accepted = dues == {event.due_at}
    return replace(announced, event=event.model_copy(update={"as_accepted": as_accepted}))


def _matters(event: Event) -> bool:
    """Pick what clocks are made of: of what people are told, only that work has reached them."""
    if isinstance(event, NotificationFact):
        return event.alert in _HANDS
    return isinstance(event, TicketFact | AssignmentFact)


async def _declare(tx: Tx, envelopes: Iterable[Envelope[Event]]) -> None:
    """Keep declared exceptions; who may stand differently by them is judged again later."""
    for envelope in envelopes:
        event = envelope.event
        if isinstance(event, PolicyPublished) and await reevaluations.put_in_force(
            tx, event.policy_id, envelope.time
        ):
            spans = await reevaluations.replace_windows(tx, event.document)
            if spans:
                await reevaluations.add(tx, envelope, event.policy_id, spans)


def exception_of(windows: Sequence[ExceptionWindow]) -> ExceptionOf:
    """Name the first of the declared exceptions that covers a ticket."""

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
