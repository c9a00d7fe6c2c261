"""Every SQL statement about requests, tickets and policies."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic_core import to_json

from intake.domain import Acceptance, Version
from intake.domain.receipts import retryable
from intake.store.accounts import VERSIONS, versions_of
from shared.events import Envelope, Event, PolicyPublished, ReceiptIssued, SupportRequest
from shared.platform.postgres import Tx
from shared.sla.policies import Policy, default_policy

__all__ = [
    "DecidedRequest",
    "DecisionInputs",
    "PendingRequest",
    "ReceivedRequest",
    "StoredReceipt",
    "Terms",
    "current_terms",
    "decision_inputs",
    "lock_and_claim",
    "lock_merges",
    "overdue",
    "pending",
    "real_now",
    "save_new_decisions",
    "save_policies",
    "save_requests",
    "save_tickets",
]

TICKET_COLUMNS: Final = (
    *("ticket_id", "source", "external_id", "account_id", "requester_id", "role", "channel"),
    *("severity", "claimed_severity", "language", "time_zone", "subject", "body", "policy"),
    *("promises", "create_date", "accepted_at", "tier", "region", "rule", "no_promise"),
    *("phone_number", "reopen_within_s"),
)
SAVE_POLICY: Final = """
    INSERT INTO policy (version, policy_id, document, published_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (version) DO UPDATE
        SET published_at = greatest(policy.published_at, excluded.published_at)
"""
# A transaction that decides a request locks its account (shared) until the commit.
# A transaction that changes the account waits for that, and then finds every request held for it.
# Merges are locked for the same reason: either the ticket finds the merge, or the merge the ticket.
# To avoid deadlocks, all transactions lock merges, then accounts, then claim events.
# `count(*)` makes PostgreSQL take all locks before it claims the events.
LOCK_AND_CLAIM: Final = """
    WITH held AS MATERIALIZED (
        SELECT pg_advisory_xact_lock_shared(hashtext('merge'), 0)
        UNION ALL
        SELECT pg_advisory_xact_lock_shared(hashtext('account'), hashtext(account_id))
        FROM unnest($2::text[]) AS account_id
    ), fresh AS (
        INSERT INTO processed_event (event_id)
        SELECT event_id FROM (SELECT count(*) FROM held) AS _, unnest($1::uuid[]) AS event_id
        ON CONFLICT DO NOTHING RETURNING event_id
    )
    SELECT premium_now() AS now, array_agg(event_id) AS fresh FROM fresh
"""
LOCK_MERGES: Final = "SELECT pg_advisory_xact_lock(hashtext('merge'), 0)"
REQUEST_COLUMNS: Final = (
    *("ticket_id", "account_id", "outcome", "curable", "held_until", "received_at", "digest"),
    *("content", "traceparent", "receipt"),
)
UPDATE_DECISIONS: Final = """
    UPDATE request SET outcome = $2, curable = $3, held_until = $4, content = $5, receipt = $6
    WHERE ticket_id = $1
"""
REAL_NOW: Final = "SELECT now()"
_TERMS: Final = """
    SELECT (SELECT document FROM policy ORDER BY published_at DESC, version DESC LIMIT 1) AS policy,
           (SELECT array_agg(language) FROM served_language) AS served
"""
DECISION_INPUTS: Final = f"""
    {_TERMS},
           (SELECT array_agg((ticket_id, digest, receipt))
            FROM request WHERE ticket_id = ANY($3)) AS receipts,
           (SELECT array_agg((account_id, since, content, salt, super_admins, seats)
                             ORDER BY account_id, since)
            FROM ({VERSIONS}) AS version) AS accounts,
           EXISTS (SELECT FROM merge WHERE NOT counts
                   AND (ticket_id = ANY($3) OR into_id = ANY($3))) AS has_open_merges
"""
_SELECT_REQUEST: Final = "SELECT content, traceparent, received_at, receipt FROM request"
PENDING: Final = f"""
    {_SELECT_REQUEST} WHERE account_id = $1 AND curable AND (received_at, ticket_id) > ($2, $3)
    ORDER BY received_at, ticket_id LIMIT $4 FOR UPDATE
"""
OVERDUE: Final = f"""
    {_SELECT_REQUEST} WHERE outcome = 'held' AND held_until <= $1
    ORDER BY held_until LIMIT $2 FOR UPDATE SKIP LOCKED
"""


async def save_tickets(
    tx: Tx, accepted: Sequence[tuple[SupportRequest, Acceptance]], *, now: datetime
) -> None:
    """Save accepted requests as tickets, with the customer's texts."""
    await tx.copy(
        "ticket",
        TICKET_COLUMNS,
        [
            (
                acceptance.event.ticket_id,
                request.source,
                request.external_id,
                request.account_id,
                request.requester_id,
                acceptance.event.role,
                request.channel,
                acceptance.event.severity,
                request.severity,
                acceptance.event.language,
                acceptance.event.time_zone,
                request.subject,
                request.body,
                acceptance.event.policy,
                to_json(acceptance.event.promises).decode(),
                request.occurred_at,
                now,
                acceptance.event.tier,
                acceptance.event.region,
                acceptance.event.rule,
                acceptance.no_promise,
                None if acceptance.number is None else acceptance.number.e164,
                acceptance.event.reopen_within_s,
            )
            for request, acceptance in accepted
        ],
    )


async def save_policies(tx: Tx, published: Sequence[Envelope[Event]]) -> None:
    """Save published policy versions; a version that is published again becomes the latest."""
    rows = [
        (e.event.version, e.event.policy_id, json.dumps(e.event.document.document), e.time)
        for e in published
        if isinstance(e.event, PolicyPublished)
    ]
    if rows:
        await tx.executemany(SAVE_POLICY, rows)


async def lock_merges(tx: Tx) -> None:
    """Lock merges: wait for transactions that are making tickets, and delay new ones."""
    await tx.execute(LOCK_MERGES)


async def lock_and_claim(
    tx: Tx, document_ids: Iterable[UUID], account_ids: Sequence[str]
) -> tuple[set[UUID], datetime]:
    """Lock accounts and merges (shared), then claim ids as `processed_events.claim` does.

    Returns the ids that were not claimed before, and business time. ``account_ids`` must be sorted,
    to avoid deadlocks.
    """
    row = await tx.fetchrow(LOCK_AND_CLAIM, sorted(set(document_ids)), account_ids)
    assert row is not None  # noqa: S101 - an aggregate has one row
    return set(row["fresh"] or ()), row["now"]


class StoredReceipt(NamedTuple):
    """The receipt of a request, and the request's digest, by which a copy is recognised."""

    digest: bytes
    receipt: ReceiptIssued


class ReceivedRequest(NamedTuple):
    """A request with its arrival time, from which its hold time runs."""

    request: SupportRequest
    traceparent: str | None
    received_at: datetime


class PendingRequest(NamedTuple):
    """A request that is not accepted yet, and its last receipt."""

    received: ReceivedRequest
    receipt: ReceiptIssued


class DecidedRequest(NamedTuple):
    """A request to be saved with its receipt."""

    received: ReceivedRequest
    digest: bytes
    receipt: ReceiptIssued


async def save_requests(tx: Tx, decided: Sequence[DecidedRequest]) -> None:
    """Save requests with their receipts; with their content only if not accepted as tickets."""
    rows = [
        (
            d.receipt.ticket_id,
            d.received.request.account_id,
            d.receipt.outcome,
            retryable(d.receipt),
            d.receipt.held_until,
            d.received.received_at,
            d.digest,
            _stored_content(d),
            d.received.traceparent,
            d.receipt.model_dump_json(),
        )
        for d in decided
    ]
    if rows:
        await tx.copy("request", REQUEST_COLUMNS, rows)


async def save_new_decisions(tx: Tx, decided: Sequence[DecidedRequest]) -> None:
    """Save the new receipts of requests that were decided again."""
    rows = [
        (
            d.receipt.ticket_id,
            d.receipt.outcome,
            retryable(d.receipt),
            d.receipt.held_until,
            _stored_content(d),
            d.receipt.model_dump_json(),
        )
        for d in decided
    ]
    await tx.executemany(UPDATE_DECISIONS, rows)


def _stored_content(decided: DecidedRequest) -> str | None:
    if decided.receipt.outcome == "accepted":
        return None
    return decided.received.request.model_dump_json()


class Terms(NamedTuple):
    """What applies to every decision: the current policy, and the languages of the roster."""

    policy: Policy
    served: frozenset[str]


class DecisionInputs(NamedTuple):
    """What decisions on requests need: terms, earlier receipts by ticket, account versions."""

    terms: Terms
    receipts: dict[UUID, StoredReceipt]
    accounts: dict[str, list[Version]]
    has_open_merges: bool
    """Whether a merge waits for one of the requests."""


_NO_INPUTS: Final = DecisionInputs(
    Terms(default_policy(), frozenset()), {}, {}, has_open_merges=False
)


async def decision_inputs(tx: Tx, requests: Sequence[SupportRequest]) -> DecisionInputs:
    """Read what decisions on these requests need, in one round trip."""
    if not requests:
        return _NO_INPUTS
    row = await tx.fetchrow(
        DECISION_INPUTS,
        [request.account_id for request in requests],
        [request.requester_id for request in requests],
        [request.ticket_id for request in requests],
    )
    assert row is not None  # noqa: S101 - it selects no table
    return DecisionInputs(
        _terms(row),
        {
            ticket_id: StoredReceipt(digest, _receipt(receipt))
            for ticket_id, digest, receipt in row["receipts"] or ()
        },
        versions_of(row["accounts"] or ()),
        row["has_open_merges"],
    )


async def pending(
    tx: Tx, account_id: str, after: tuple[datetime, UUID], *, limit: int
) -> list[PendingRequest]:
    """Read and lock the next retryable requests of an account, in order of arrival and id."""
    rows = await tx.fetch(PENDING, account_id, *after, limit)
    return [_pending(row) for row in rows]


async def overdue(tx: Tx, now: datetime, *, limit: int) -> list[PendingRequest]:
    """Lock and read held requests whose hold time is over, at most ``limit``."""
    return [_pending(row) for row in await tx.fetch(OVERDUE, now, limit)]


async def real_now(tx: Tx) -> datetime:
    """Read the real time, from which business time may differ in a replay."""
    moment: datetime = await tx.fetchval(REAL_NOW)
    return moment


async def current_terms(tx: Tx) -> Terms:
    """Read the latest policy (the built-in one while none is published), and the languages."""
    return _terms(await tx.fetchrow(_TERMS))


def _terms(row: Any) -> Terms:  # noqa: ANN401 - asyncpg has no types
    policy = default_policy() if row["policy"] is None else _policy(row["policy"])
    return Terms(policy, frozenset(row["served"] or ()))


def _pending(row: Any) -> PendingRequest:  # noqa: ANN401 - asyncpg has no types
    request = SupportRequest.model_validate_json(row["content"])
    received = ReceivedRequest(request, row["traceparent"], row["received_at"])
    return PendingRequest(received, _receipt(row["receipt"]))


def _receipt(content: str) -> ReceiptIssued:
    return ReceiptIssued.model_validate_json(content)


@lru_cache(maxsize=2)
def _policy(document: str) -> Policy:
    """Parse a policy; cached, so that it is not parsed for every batch."""
    return Policy.model_validate_json(document)
