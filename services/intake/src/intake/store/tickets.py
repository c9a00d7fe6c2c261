"""Every SQL statement of intake."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic_core import to_json

from intake.domain import Acceptance, Version
from intake.domain.receipts import curable
from intake.store.accounts import VERSIONS, versions_of
from shared.events import Envelope, Event, PolicyPublished, ReceiptIssued, SupportRequest
from shared.platform.postgres import Tx
from shared.sla.policies import Policy, default_policy

__all__ = [
    "Answered",
    "Came",
    "Judged",
    "Known",
    "Terms",
    "Waiting",
    "change_merges",
    "current_terms",
    "hold_and_claim",
    "judge_again",
    "known",
    "overdue",
    "real_now",
    "save_policies",
    "save_requests",
    "save_tickets",
    "waiting",
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
# Who judges a request by its account holds the account as it is until that is committed: whoever
# tells of the account then finds every request that waits for it. Likewise of merges: either the
# ticket finds the merge, or the merge the ticket. Merges are held before accounts, by everybody.
# Both before events are claimed, so that none deadlock; the count makes PostgreSQL keep to it.
HOLD_AND_CLAIM: Final = """
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
CHANGE_MERGES: Final = "SELECT pg_advisory_xact_lock(hashtext('merge'), 0)"
REQUEST_COLUMNS: Final = (
    *("ticket_id", "account_id", "outcome", "curable", "held_until", "received_at", "digest"),
    *("content", "traceparent", "receipt"),
)
JUDGE_AGAIN: Final = """
    UPDATE request SET outcome = $2, curable = $3, held_until = $4, content = $5, receipt = $6
    WHERE ticket_id = $1
"""
REAL_NOW: Final = "SELECT now()"
_TERMS: Final = """
    SELECT (SELECT document FROM policy ORDER BY published_at DESC, version DESC LIMIT 1) AS policy,
           (SELECT array_agg(language) FROM served_language) AS served
"""
KNOWN: Final = f"""
    {_TERMS},
           (SELECT array_agg((ticket_id, digest, receipt))
            FROM request WHERE ticket_id = ANY($3)) AS answered,
           (SELECT array_agg((account_id, since, content, salt, super_admins, seats)
                             ORDER BY account_id, since)
            FROM ({VERSIONS}) AS version) AS accounts,
           EXISTS (SELECT FROM merge WHERE NOT counts
                   AND (ticket_id = ANY($3) OR into_id = ANY($3))) AS merged
"""
_WAITING: Final = "SELECT content, traceparent, received_at, receipt FROM request"
WAITING: Final = f"""
    {_WAITING} WHERE account_id = $1 AND curable AND (received_at, ticket_id) > ($2, $3)
    ORDER BY received_at, ticket_id LIMIT $4 FOR UPDATE
"""
OVERDUE: Final = f"""
    {_WAITING} WHERE outcome = 'held' AND held_until <= $1
    ORDER BY held_until LIMIT $2 FOR UPDATE SKIP LOCKED
"""


async def save_tickets(
    tx: Tx, taken: Sequence[tuple[SupportRequest, Acceptance]], *, now: datetime
) -> None:
    """Keep accepted requests with what the customer wrote."""
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
            for request, acceptance in taken
        ],
    )


async def save_policies(tx: Tx, published: Sequence[Envelope[Event]]) -> None:
    """Keep every version; to publish one again makes it the latest."""
    rows = [
        (e.event.version, e.event.policy_id, json.dumps(e.event.document.document), e.time)
        for e in published
        if isinstance(e.event, PolicyPublished)
    ]
    if rows:
        await tx.executemany(SAVE_POLICY, rows)


async def change_merges(tx: Tx) -> None:
    """Wait until no ticket is made that would not see the merges to come."""
    await tx.execute(CHANGE_MERGES)


async def hold_and_claim(
    tx: Tx, document_ids: Iterable[UUID], account_ids: Sequence[str]
) -> tuple[set[UUID], datetime]:
    """Let accounts and merges stay as they are, then claim as `processed_events.claim` does.

    Account ids come sorted, so that none deadlock.
    """
    row = await tx.fetchrow(HOLD_AND_CLAIM, sorted(set(document_ids)), account_ids)
    assert row is not None  # noqa: S101 - an aggregate has one row
    return set(row["fresh"] or ()), row["now"]


class Answered(NamedTuple):
    """What was answered to a request, and what tells a copy of it."""

    digest: bytes
    receipt: ReceiptIssued


class Came(NamedTuple):
    """A request, and when it came: by that, and not by its create date, it waits."""

    request: SupportRequest
    traceparent: str | None
    received_at: datetime


class Waiting(NamedTuple):
    """A request that is no ticket yet, and what was answered so far."""

    came: Came
    receipt: ReceiptIssued


class Judged(NamedTuple):
    """A request to be kept with its answer."""

    came: Came
    digest: bytes
    receipt: ReceiptIssued


async def save_requests(tx: Tx, kept: Sequence[Judged]) -> None:
    """Keep requests with what is answered; what they say only as long as they are no tickets."""
    rows = [
        (
            k.receipt.ticket_id,
            k.came.request.account_id,
            k.receipt.outcome,
            curable(k.receipt),
            k.receipt.held_until,
            k.came.received_at,
            k.digest,
            _kept_content(k),
            k.came.traceparent,
            k.receipt.model_dump_json(),
        )
        for k in kept
    ]
    if rows:
        await tx.copy("request", REQUEST_COLUMNS, rows)


async def judge_again(tx: Tx, kept: Sequence[Judged]) -> None:
    """Keep what is answered now to requests that waited."""
    rows = [
        (
            k.receipt.ticket_id,
            k.receipt.outcome,
            curable(k.receipt),
            k.receipt.held_until,
            _kept_content(k),
            k.receipt.model_dump_json(),
        )
        for k in kept
    ]
    await tx.executemany(JUDGE_AGAIN, rows)


def _kept_content(kept: Judged) -> str | None:
    return None if kept.receipt.outcome == "accepted" else kept.came.request.model_dump_json()


class Terms(NamedTuple):
    """What all requests are judged by: the policy, and the languages that the roster serves."""

    policy: Policy
    served: frozenset[str]


class Known(NamedTuple):
    """What is known when requests come: the terms, and what there is of tickets and accounts."""

    terms: Terms
    answered: dict[UUID, Answered]
    accounts: dict[str, list[Version]]
    merged: bool
    """Merges wait for some of them."""


_NOTHING: Final = Known(Terms(default_policy(), frozenset()), {}, {}, merged=False)


async def known(tx: Tx, requests: Sequence[SupportRequest]) -> Known:
    """Read in one round trip what it takes to judge requests; nothing for none."""
    if not requests:
        return _NOTHING
    row = await tx.fetchrow(
        KNOWN,
        [request.account_id for request in requests],
        [request.requester_id for request in requests],
        [request.ticket_id for request in requests],
    )
    assert row is not None  # noqa: S101 - it selects no table
    return Known(
        _terms(row),
        {
            ticket_id: Answered(digest, _receipt(receipt))
            for ticket_id, digest, receipt in row["answered"] or ()
        },
        versions_of(row["accounts"] or ()),
        row["merged"],
    )


async def waiting(
    tx: Tx, account_id: str, after: tuple[datetime, UUID], *, limit: int
) -> list[Waiting]:
    """Read and lock the next requests, by time and id, that news of an account may help."""
    rows = await tx.fetch(WAITING, account_id, *after, limit)
    return [_waiting(row) for row in rows]


async def overdue(tx: Tx, now: datetime, *, limit: int) -> list[Waiting]:
    """Claim requests that have been held for long enough."""
    return [_waiting(row) for row in await tx.fetch(OVERDUE, now, limit)]


async def real_now(tx: Tx) -> datetime:
    """Ask for the time of the world, which business time may have left in a replay."""
    moment: datetime = await tx.fetchval(REAL_NOW)
    return moment


async def current_terms(tx: Tx) -> Terms:
    """Read the policy published last, the built-in one while there is none, and the languages."""
    return _terms(await tx.fetchrow(_TERMS))


def _terms(row: Any) -> Terms:  # noqa: ANN401 - asyncpg has no types
    policy = default_policy() if row["policy"] is None else _policy(row["policy"])
    return Terms(policy, frozenset(row["served"] or ()))


def _waiting(row: Any) -> Waiting:  # noqa: ANN401 - asyncpg has no types
    request = SupportRequest.model_validate_json(row["content"])
    came = Came(request, row["traceparent"], row["received_at"])
    return Waiting(came, _receipt(row["receipt"]))


def _receipt(content: str) -> ReceiptIssued:
    return ReceiptIssued.model_validate_json(content)


@lru_cache(maxsize=2)
def _policy(document: str) -> Policy:
    """Read a policy once, not a batch."""
    return Policy.model_validate_json(document)
