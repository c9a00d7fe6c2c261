"""Facts worth telling become deliveries; the roster and who has what are kept for that."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from notifier import domain, store
from notifier.domain import one_line
from notifier.store import Holding, Listing
from shared.events import (
    AssignmentReleased,
    BreachFact,
    ClockFact,
    ClockWarned,
    Envelope,
    Event,
    NotificationFact,
    SpecialistListed,
    SpecialistRemoved,
    TicketAssigned,
    TicketDeclined,
)
from shared.events.codec import read
from shared.postgres import Tx

__all__ = ["CONSUMES", "EMITS", "decode", "take"]

CONSUMES: Final = (
    TicketAssigned.topic,
    ClockFact.topic,
    BreachFact.topic,
    SpecialistListed.topic,
)
EMITS: Final = (NotificationFact.topic,)

decode = read


async def take(
    tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime, *, wake: Callable[[], None]
) -> None:
    """Keep what is known of people, then plan what they are told; ``wake`` starts the sending."""
    by_time = sorted(envelopes, key=lambda envelope: envelope.time)
    if listings := _listings(by_time):
        await store.save_specialists(tx, listings)
    if holdings := _holdings(by_time):
        await store.save_holders(tx, holdings)
    warned = {e.event.ticket_id for e in envelopes if isinstance(e.event, ClockWarned)}
    holders = await store.holders(tx, warned) if warned else {}
    planned = [d for e in envelopes if (d := domain.plan(e, holders, now=now))]
    if planned:
        await store.add_deliveries(tx, planned)
        tx.after_commit.add(wake)


def _listings(by_time: Sequence[Envelope[Event]]) -> dict[str, Listing]:
    latest = {}
    for envelope in by_time:
        match envelope.event:
            case SpecialistListed() as listed:
                name = one_line(listed.name)
                latest[listed.specialist_id] = Listing(name, listed.mail, envelope.time)
            case SpecialistRemoved() as removed:
                latest[removed.specialist_id] = Listing(None, None, envelope.time)
            case _:
                pass
    return latest


def _holdings(by_time: Sequence[Envelope[Event]]) -> dict[UUID, Holding]:
    latest = {}
    for envelope in by_time:
        match envelope.event:
            case TicketAssigned() as assigned:
                latest[assigned.ticket_id] = Holding(assigned.specialist_id, envelope.time)
            case TicketDeclined() | AssignmentReleased() as given_up:
                latest[given_up.ticket_id] = Holding(None, envelope.time)
            case _:
                pass
    return latest
