"""Every SQL statement of intake."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from intake.domain import Acceptance
from shared.events import SupportRequest
from shared.postgres import Tx

__all__ = ["save_tickets", "ticket"]

SAVE: Final = """
    INSERT INTO ticket (
        ticket_id, source, external_id, account_id, requester_id, role, channel, severity,
        claimed_severity, language, time_zone, subject, body, policy, promises, create_date,
        accepted_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""
TICKET: Final = """
    SELECT ticket_id, source, external_id, account_id, channel, severity, claimed_severity,
           language, policy, promises, create_date
    FROM ticket WHERE ticket_id = $1
"""


async def save_tickets(
    tx: Tx, taken: Sequence[tuple[SupportRequest, Acceptance]], *, now: datetime
) -> None:
    """Keep accepted requests with what the customer wrote."""
    await tx.executemany(
        SAVE,
        [
            (
                acceptance.event.ticket_id,
                request.source,
                request.external_id,
                request.account_id,
                request.requester_id,
                request.role,
                request.channel,
                acceptance.event.severity,
                request.severity,
                request.language,
                request.time_zone,
                request.subject,
                request.body,
                acceptance.event.policy,
                json.dumps([p.model_dump(mode="json") for p in acceptance.event.promises]),
                request.occurred_at,
                now,
            )
            for request, acceptance in taken
        ],
    )


async def ticket(tx: Tx, ticket_id: UUID) -> dict[str, Any] | None:
    """Read what upstream may see of a ticket; None when there is none."""
    row = await tx.fetchrow(TICKET, ticket_id)
    return None if row is None else {**row, "promises": json.loads(row["promises"])}
