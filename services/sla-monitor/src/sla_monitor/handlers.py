"""Facts about tickets move their clocks."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from shared import outbox
from shared.events import (
    AssignmentFact,
    BreachFact,
    ClockFact,
    Envelope,
    Event,
    NotificationFact,
    TicketFact,
)
from shared.events.codec import read
from shared.postgres import Tx
from sla_monitor import domain, store
from sla_monitor.domain import Announced, Clock, Fact, Key
from sla_monitor.partitions import Partitions
from sla_monitor.telemetry import SKIPPED

__all__ = ["CONSUMES", "EMITS", "Folding", "decode"]

CONSUMES: Final = (TicketFact.topic, AssignmentFact.topic, NotificationFact.topic)
EMITS: Final = (ClockFact.topic, BreachFact.topic)
_HANDS: Final = ("assignment", "callback")

decode = read


class Folding:
    """Folds facts into the clocks of their tickets."""

    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions

    async def take(self, tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime) -> None:
        """Fold fresh facts, one after another, so that no batch's edges show in what is said."""
        new = [e for e in envelopes if _matters(e.event)]
        ticket_ids = sorted({_ticket_of(fact) for fact in new})
        await store.lock(tx, ticket_ids)
        known = await store.facts(tx, ticket_ids)
        before = await store.clocks(tx, ticket_ids)
        clocks = dict(before)
        announced = [a for fact in new for a in _fold(known, clocks, fact, now)]
        await store.add_facts(tx, new, now=now)
        await self._save(tx, before, clocks)
        await outbox.add(tx, announced)

    async def _save(self, tx: Tx, before: dict[Key, Clock], after: dict[Key, Clock]) -> None:
        changed = [clock for key, clock in after.items() if before.get(key) != clock]
        placed = [(clock, self._partitions.of(clock.ticket_id)) for clock in changed]
        await store.save_clocks(tx, placed)
        more: Counter[int] = Counter()
        for clock, partition in placed:
            old = before.get(clock.key)
            more[partition] += clock.is_open - (old is not None and old.is_open)
        await store.count_open(tx, {p: more[p] for p in sorted(more) if more[p]})


def _matters(event: Event) -> bool:
    """Pick what clocks are made of: of what people are told, only that work has reached them."""
    if isinstance(event, NotificationFact):
        return event.alert in _HANDS
    return isinstance(event, TicketFact | AssignmentFact)


def _fold(
    known: dict[UUID, list[Fact]], clocks: dict[Key, Clock], fact: Fact, now: datetime
) -> Iterator[Announced]:
    ticket_id = _ticket_of(fact)
    known[ticket_id].append(fact)
    truths = {truth.key: truth for truth in domain.derive(known[ticket_id])}
    for gone in _gone(clocks, ticket_id, truths.keys()):
        yield from _keep(clocks, domain.withdraw(gone, fact))
    for key, truth in truths.items():
        yield from _keep(clocks, domain.fold(clocks.get(key), truth, fact, now=now))


def _gone(clocks: dict[Key, Clock], ticket_id: UUID, owed: Iterable[Key]) -> list[Clock]:
    owed = set(owed)
    return [c for key, c in clocks.items() if key[0] == ticket_id and key not in owed]


def _keep(clocks: dict[Key, Clock], outcome: domain.Outcome) -> list[Announced]:
    clocks[outcome.clock.key] = outcome.clock
    SKIPPED.inc(outcome.skipped)
    return outcome.announced


def _ticket_of(fact: Fact) -> UUID:
    return UUID(fact.event.subject)
