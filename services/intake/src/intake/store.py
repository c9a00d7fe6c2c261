"""Every SQL statement of intake."""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from intake.domain import Acceptance
from shared.events import Envelope, Event, PolicyPublished, SupportRequest
from shared.policies import Policy, default_policy
from shared.postgres import Tx

__all__ = [
    "Merge",
    "current_policy",
    "merges_known",
    "save_merges",
    "save_policies",
    "save_tickets",
    "ticket",
]

SAVE: Final = """
    INSERT INTO ticket (
        ticket_id, source, external_id, account_id, requester_id, role, channel, severity,
        claimed_severity, language, time_zone, subject, body, policy, promises, create_date,
        accepted_at, tier, region, rule, no_promise)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
            $20, $21)
"""
TICKET: Final = """
    SELECT ticket_id, source, external_id, account_id, channel, severity, claimed_severity,
           language, tier, region, policy, rule, promises, no_promise, create_date
    FROM ticket WHERE ticket_id = $1
"""
SAVE_MERGE: Final = """
    INSERT INTO merge (ticket_id, into_id, document_id, occurred_at) VALUES ($1, $2, $3, $4)
"""
MERGES: Final = """
    SELECT merge.ticket_id, into_id, document_id, occurred_at, create_date
    FROM merge JOIN ticket USING (ticket_id) WHERE merge.ticket_id = ANY($1)
    ORDER BY document_id
"""
SAVE_POLICY: Final = """
    INSERT INTO policy (version, policy_id, document, published_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (version) DO UPDATE
        SET published_at = greatest(policy.published_at, excluded.published_at)
"""
CURRENT_POLICY: Final = """
    SELECT document FROM policy ORDER BY published_at DESC, version DESC LIMIT 1
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
                request.tier,
                request.region,
                acceptance.event.rule,
                acceptance.no_promise,
            )
            for request, acceptance in taken
        ],
    )


async def ticket(tx: Tx, ticket_id: UUID) -> dict[str, Any] | None:
    """Read what upstream may see of a ticket; None when there is none."""
    row = await tx.fetchrow(TICKET, ticket_id)
    return None if row is None else {**row, "promises": json.loads(row["promises"])}


async def save_policies(tx: Tx, published: Sequence[Envelope[Event]]) -> None:
    """Keep every version; to publish one again makes it the latest."""
    rows = [
        (e.event.version, e.event.policy_id, json.dumps(e.event.document.document), e.time)
        for e in published
        if isinstance(e.event, PolicyPublished)
    ]
    if rows:
        await tx.executemany(SAVE_POLICY, rows)


class Merge(NamedTuple):
    """A duplicate whose request is known, and the document that told of its merge."""

    ticket_id: UUID
    into_id: UUID
    document_id: UUID
    occurred_at: datetime
    create_date: datetime


async def save_merges(tx: Tx, merges: Sequence[tuple[UUID, UUID, UUID, datetime]]) -> None:
    """Remember who was merged: ticket, into which, the document's id, and when."""
    await tx.executemany(SAVE_MERGE, merges)


async def merges_known(tx: Tx, ticket_ids: Sequence[UUID]) -> list[Merge]:
    """Read the merges of those of some tickets whose requests have come."""
    return [Merge(*row) for row in await tx.fetch(MERGES, ticket_ids)]


async def current_policy(tx: Tx) -> Policy:
    """Read the policy published last; the built-in one while there is none."""
    document = await tx.fetchval(CURRENT_POLICY)
    return default_policy() if document is None else _policy(document)


@lru_cache(maxsize=2)
def _policy(document: str) -> Policy:
    """Read a policy once, not a batch."""
    return Policy.model_validate_json(document)
