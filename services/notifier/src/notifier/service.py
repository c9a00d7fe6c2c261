"""Facts worth telling become deliveries; the roster and who has what are kept for that."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from notifier import domain, store
from notifier.domain import one_line
from notifier.store import Listing
from shared.events import (
    AssignmentHandedBack,
    AssignmentReleased,
    CallbackJoined,
    ClockFact,
    ClockWarned,
    Envelope,
    Event,
    SpecialistListed,
    SpecialistRemoved,
    TicketAssigned,
    TicketDeclined,
)
from shared.platform.postgres import Tx
from shared.sla.promises import PromiseKind
from shared.tickets.due import changes_due_time, update_clock

__all__ = ["take"]


async def take(
    tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime, *, wake: Callable[[], None]
) -> None:
    """Keep what is known of people, then plan what they are told; ``wake`` starts the sending."""
    if listings := _listings(envelopes):
        await store.save_specialists(tx, listings)
    if holders := _holders(envelopes):
        await store.save_holders(tx, holders)
    if rides := _rides(envelopes):
        await store.save_rides(tx, rides)
    if moved := _moved(envelopes):
        await store.save_moved(tx, moved, now)
    warned = [
        (e.id, e.event.ticket_id, e.time) for e in envelopes if isinstance(e.event, ClockWarned)
    ]
    holder = await store.holders(tx, warned) if warned else {}
    planned = [d for e in envelopes if (d := domain.plan(e, holder.get(e.id), now=now))]
    if planned:
        await store.add_deliveries(tx, planned)
        tx.after_commit.add(wake)


def _listings(envelopes: Sequence[Envelope[Event]]) -> dict[str, Listing]:
    latest = {}
    for envelope in sorted(envelopes, key=lambda envelope: envelope.time):
        match envelope.event:
            case SpecialistListed() as listed:
                name = one_line(listed.name)
                latest[listed.specialist_id] = Listing(name, listed.mail, envelope.time)
            case SpecialistRemoved() as removed:
                latest[removed.specialist_id] = Listing(None, None, envelope.time)
            case _:
                pass
    return latest


def _moved(
    envelopes: Sequence[Envelope[Event]],
) -> dict[tuple[UUID, PromiseKind], datetime | None]:
    """Say when promises are due now; of two records of a clock the one read last counts."""
    return {
        (e.event.ticket_id, e.event.kind): update_clock(None, e.event, e.time).due_at
        for e in envelopes
        if isinstance(e.event, ClockFact) and changes_due_time(e.event)
    }


def _rides(envelopes: Sequence[Envelope[Event]]) -> list[tuple[UUID, datetime, UUID]]:
    return [
        (e.event.ticket_id, e.time, e.event.joined)
        for e in envelopes
        if isinstance(e.event, CallbackJoined)
    ]


def _holders(envelopes: Sequence[Envelope[Event]]) -> dict[tuple[UUID, datetime], str | None]:
    """Say who has a ticket from when on; of two facts of one instant, the later told counts."""
    found: dict[tuple[UUID, datetime], str | None] = {}
    for envelope in envelopes:
        match envelope.event:
            case TicketAssigned() as assigned:
                found[assigned.ticket_id, envelope.time] = assigned.specialist_id
            case TicketDeclined() | AssignmentHandedBack() | AssignmentReleased() as given_up:
                found[given_up.ticket_id, envelope.time] = None
            case _:
                pass
    return found
