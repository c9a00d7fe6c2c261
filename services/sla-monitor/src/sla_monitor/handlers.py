"""Facts about tickets move their clocks."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from shared import outbox
from shared.events import BreachFact, ClockFact, Envelope, Event, TicketFact
from shared.events.codec import read
from shared.postgres import Tx
from sla_monitor import domain, store
from sla_monitor.domain import Announced, Clock, Fact

__all__ = ["CONSUMES", "EMITS", "decode", "take"]

CONSUMES: Final = (TicketFact.topic,)
EMITS: Final = (ClockFact.topic, BreachFact.topic)

decode = read


async def take(tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime) -> None:
    """Fold fresh facts, one after another, so that no batch's edges show in what is announced."""
    new: list[Fact] = [
        Envelope(e.id, e.source, e.time, e.event, e.traceparent)
        for e in envelopes
        if isinstance(e.event, TicketFact)
    ]
    ticket_ids = sorted({fact.event.ticket_id for fact in new})
    await store.lock(tx, ticket_ids)
    known = await store.facts(tx, ticket_ids)
    clocks = await store.clocks(tx, ticket_ids)
    announced = [a for fact in new for a in _fold(known, clocks, fact, now)]
    await store.add_facts(tx, new)
    await store.save_clocks(tx, clocks.values())
    await outbox.add(tx, announced)


def _fold(
    known: dict[UUID, list[Fact]],
    clocks: dict[tuple[UUID, str], Clock],
    fact: Fact,
    now: datetime,
) -> list[Announced]:
    ticket_id = fact.event.ticket_id
    known[ticket_id].append(fact)
    announced: list[Announced] = []
    for truth in domain.derive(known[ticket_id]):
        key = (ticket_id, truth.kind)
        clock, changes = domain.follow(clocks.get(key), truth, fact)
        clock, fallen = domain.fall_due(clock, now=now)
        clocks[key] = clock
        announced += [*changes, *fallen]
    return announced
