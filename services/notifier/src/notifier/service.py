"""Plans deliveries from events, and saves the roster, assignments and due times that they need."""

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

__all__ = ["plan_deliveries"]


async def plan_deliveries(
    tx: Tx, envelopes: Sequence[Envelope[Event]], now: datetime, *, wake: Callable[[], None]
) -> None:
    """Save what deliveries depend on, then plan a delivery for each event that needs one.

    If a delivery was planned, ``wake`` is called after the commit, to start the sender.
    """
    if listings := _listings(envelopes):
        await store.save_specialists(tx, listings)
    if assignees := _assignees(envelopes):
        await store.save_assignees(tx, assignees)
    if joins := _callback_joins(envelopes):
        await store.save_callback_joins(tx, joins)
    if due_times := _new_due_times(envelopes):
        await store.save_new_due_times(tx, due_times, now)
    warned = [
        (e.id, e.event.ticket_id, e.time) for e in envelopes if isinstance(e.event, ClockWarned)
    ]
    current = await store.assignees(tx, warned) if warned else {}
    planned = [d for e in envelopes if (d := domain.plan(e, current.get(e.id), now=now))]
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


def _new_due_times(
    envelopes: Sequence[Envelope[Event]],
) -> dict[tuple[UUID, PromiseKind], datetime | None]:
    """Return the new due times of promises; of several for one promise the last one counts."""
    return {
        (e.event.ticket_id, e.event.kind): update_clock(None, e.event, e.time).due_at
        for e in envelopes
        if isinstance(e.event, ClockFact) and changes_due_time(e.event)
    }


def _callback_joins(envelopes: Sequence[Envelope[Event]]) -> list[tuple[UUID, datetime, UUID]]:
    return [
        (e.event.ticket_id, e.time, e.event.joined)
        for e in envelopes
        if isinstance(e.event, CallbackJoined)
    ]


def _assignees(envelopes: Sequence[Envelope[Event]]) -> dict[tuple[UUID, datetime], str | None]:
    """Return, by ticket and time, the specialist who has the ticket from then on, or None.

    Of two events of a ticket with the same time, the one that was read last counts.
    """
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
