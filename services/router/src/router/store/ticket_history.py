"""SQL of the ticket history, which the inbox shows: every event that router read or announced."""

from collections.abc import Iterable, Mapping
from typing import Final
from uuid import UUID

from router.domain.ticket import Ticket
from shared.events import AssignmentExplained, Envelope, Event
from shared.events.assignments import SpecialistFact
from shared.events.base import TicketEvent
from shared.platform.postgres import Tx

__all__ = ["record"]

RECORD: Final = """
    INSERT INTO ticket_history (fact_id, ticket_id, at, type, specialist_id, fact)
    SELECT * FROM unnest(
        $1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::jsonb[])
    ON CONFLICT (ticket_id, fact_id) DO NOTHING
"""


async def record(
    tx: Tx, envelopes: Iterable[Envelope[Event]], tickets: Mapping[UUID, Ticket]
) -> None:
    """Add events to the history of their tickets.

    An event that is already there has no effect, however often it is read.
    """
    rows = []
    for envelope in envelopes:
        event = envelope.event
        if isinstance(event, AssignmentExplained):
            continue  # decision records have their own table
        if isinstance(event, SpecialistFact):
            specialist_id: str | None = event.specialist_id
        elif isinstance(event, TicketEvent):
            ticket = tickets.get(event.ticket_id)
            specialist_id = None if ticket is None else ticket.current_specialist_id
        else:
            continue
        what = (event.type, specialist_id, event.model_dump_json())
        rows.append((envelope.id, event.ticket_id, envelope.time, *what))
    if rows:
        await tx.execute(RECORD, *map(list, zip(*rows, strict=True)))
