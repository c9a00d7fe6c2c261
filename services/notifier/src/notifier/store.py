"""Every SQL statement of the notifier."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from notifier.domain import NOTIFIABLE, Delivery, DeliveryResult
from shared.events import TicketAssigned
from shared.platform.postgres import Tx
from shared.sla.promises import PromiseKind

__all__ = [
    "Due",
    "Listing",
    "add_deliveries",
    "assignees",
    "due_deliveries",
    "pending_age_s",
    "save_assignees",
    "save_callback_joins",
    "save_new_due_times",
    "save_specialists",
    "settle",
]

SAVE_SPECIALISTS: Final = """
    INSERT INTO specialist (specialist_id, name, mail, listed_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
    ON CONFLICT (specialist_id) DO UPDATE
    SET name = excluded.name, mail = excluded.mail, listed_at = excluded.listed_at
    WHERE specialist.listed_at <= excluded.listed_at
"""
SAVE_ASSIGNEES: Final = """
    INSERT INTO assignment (ticket_id, since, specialist_id)
    SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[])
    ON CONFLICT (ticket_id, since) DO UPDATE SET specialist_id = excluded.specialist_id
"""
ASSIGNEES: Final = """
    SELECT fact_id, coalesce((
        SELECT specialist_id FROM assignment
        WHERE assignment.ticket_id = warned.ticket_id AND since < at
        ORDER BY since DESC LIMIT 1
    ), (
        SELECT specialist_id FROM assignment
        WHERE since < at AND assignment.ticket_id = (
            SELECT joined FROM ride WHERE ride.ticket_id = warned.ticket_id AND since < at
            ORDER BY since DESC LIMIT 1)
        ORDER BY since DESC LIMIT 1
    )) AS specialist_id
    FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS warned (fact_id, ticket_id, at)
"""
SAVE_CALLBACK_JOIN: Final = """
    INSERT INTO ride (ticket_id, since, joined) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
SAVE_NEW_DUE_TIMES: Final = """
    INSERT INTO moved (ticket_id, promise, due_at, moved_at)
    SELECT ticket_id, promise, due_at, $4
    FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS new (ticket_id, promise, due_at)
    ON CONFLICT (ticket_id, promise) DO UPDATE
    SET due_at = excluded.due_at, moved_at = excluded.moved_at
"""
ADD_DELIVERIES: Final = """
    INSERT INTO delivery (
        delivery_id, ticket_id, alert, specialist_id, fact_type, fact, traceparent, planned_at)
    SELECT * FROM unnest(
        $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::json[], $7::text[],
        $8::timestamptz[])
    ON CONFLICT DO NOTHING
"""
DUE: Final = """
    SELECT d.delivery_id, d.alert, d.specialist_id, d.fact_type, d.fact, d.traceparent,
           d.planned_at, d.attempts, s.name, s.mail,
           m.ticket_id IS NOT NULL AS is_moved, m.due_at AS moved_to,
           d.alert <> 'callback' OR d.specialist_id = (
               SELECT specialist_id FROM assignment AS a WHERE a.ticket_id = d.ticket_id
               ORDER BY since DESC LIMIT 1) IS TRUE AS still_assigned
    FROM delivery d LEFT JOIN specialist s USING (specialist_id)
    LEFT JOIN moved AS m ON d.alert IN ('assignment', 'callback', 'warning')
        AND m.ticket_id = d.ticket_id AND m.moved_at >= d.planned_at
        AND m.promise = coalesce(d.fact ->> 'promise', d.fact ->> 'kind', 'callback')
    WHERE d.state = 'pending' AND d.next_try_at <= now()
    ORDER BY d.next_try_at, d.delivery_id LIMIT $1 FOR UPDATE OF d SKIP LOCKED
"""
PENDING_AGE: Final = """
    SELECT coalesce(extract(epoch FROM premium_now() - min(planned_at)), 0)::float8
    FROM delivery WHERE state = 'pending'
"""
SETTLE: Final = """
    WITH settled AS (
        UPDATE delivery
        SET state = v.state, attempts = v.attempts, reason = v.reason,
            next_try_at = clock_timestamp() + v.retry_after
        FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::text[], $5::interval[])
             AS v (delivery_id, state, attempts, reason, retry_after)
        WHERE delivery.delivery_id = v.delivery_id
    )
    SELECT premium_now()
"""


@dataclass(frozen=True, slots=True)
class Listing:
    """A specialist's entry on the roster; name and mail are None after removal."""

    name: str | None
    mail: str | None
    listed_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed delivery, with the specialist's name and mail address if they are known.

    ``still_assigned`` is False for a callback alert whose recipient does not have the ticket now.
    ``still_due`` is False for a warning or reminder whose promise is paused or ended by now.
    """

    delivery: Delivery
    name: str | None
    mail: str | None
    still_assigned: bool
    still_due: bool = True


async def save_specialists(tx: Tx, listings: Mapping[str, Listing]) -> None:
    """Save roster entries; an entry older than the saved one changes nothing."""
    ids = sorted(listings)
    await tx.execute(
        SAVE_SPECIALISTS,
        ids,
        [listings[i].name for i in ids],
        [listings[i].mail for i in ids],
        [listings[i].listed_at for i in ids],
    )


async def save_assignees(tx: Tx, assignees: Mapping[tuple[UUID, datetime], str | None]) -> None:
    """Save, by ticket and time, the specialist who has the ticket from then on, or None."""
    keys = sorted(assignees)
    await tx.execute(
        SAVE_ASSIGNEES,
        [ticket_id for ticket_id, _ in keys],
        [since for _, since in keys],
        [assignees[key] for key in keys],
    )


async def save_callback_joins(tx: Tx, joins: Sequence[tuple[UUID, datetime, UUID]]) -> None:
    """Save joins: (ticket, since when, the other ticket whose call answers both)."""
    await tx.executemany(SAVE_CALLBACK_JOIN, joins)


async def save_new_due_times(
    tx: Tx, moved: Mapping[tuple[UUID, PromiseKind], datetime | None], now: datetime
) -> None:
    """Save the changed due times of promises; None while nothing is due."""
    await tx.execute(
        SAVE_NEW_DUE_TIMES,
        [ticket_id for ticket_id, _ in moved],
        [kind for _, kind in moved],
        [*moved.values()],
        now,
    )


async def assignees(tx: Tx, facts: Sequence[tuple[UUID, UUID, datetime]]) -> dict[UUID, str | None]:
    """Return, by fact, the specialist who had the ticket just before it, or None.

    ``facts`` are (id, ticket, time). A ticket that had no specialist of its own, but shares another
    ticket's call, has the specialist of that other ticket. An assignment at the very time of the
    fact does not count, because their order is unknown.
    """
    rows = await tx.fetch(ASSIGNEES, *map(list, zip(*facts, strict=True)))
    return {row["fact_id"]: row["specialist_id"] for row in rows}


async def pending_age_s(tx: Tx) -> float:
    """Return the seconds since the oldest pending delivery was planned; 0 if none is pending."""
    age: float = await tx.fetchval(PENDING_AGE)
    return age


async def add_deliveries(tx: Tx, planned: Sequence[Delivery]) -> None:
    """Save planned deliveries; one that was planned before is not changed."""
    await tx.execute(
        ADD_DELIVERIES,
        [d.id for d in planned],
        [d.fact.ticket_id for d in planned],
        [d.alert for d in planned],
        [d.specialist_id for d in planned],
        [d.fact.type for d in planned],
        [d.fact.model_dump_json() for d in planned],
        [d.traceparent for d in planned],
        [d.planned_at for d in planned],
    )


async def due_deliveries(tx: Tx, *, limit: int) -> list[Due]:
    """Lock and return the earliest due deliveries, without those that another sender has locked."""
    return [_due(row) for row in await tx.fetch(DUE, limit)]


async def settle(tx: Tx, results: Sequence[DeliveryResult]) -> datetime:
    """Save the results of attempts; return the present business time."""
    now: datetime = await tx.fetchval(
        SETTLE,
        [v.delivery.id for v in results],
        [v.state for v in results],
        [v.attempts for v in results],
        [v.reason for v in results],
        [v.retry_after for v in results],
    )
    return now


def _due(row: Any) -> Due:  # noqa: ANN401 - as below
    """Build a due delivery from a row, with the due time that the clock reported last."""
    delivery = _delivery(row)
    still_due = not row["is_moved"] or row["moved_to"] is not None
    if row["is_moved"]:
        fact = delivery.fact.model_copy(update={"due_at": row["moved_to"]})
        delivery = replace(delivery, fact=fact)
    still_due = still_due or isinstance(delivery.fact, TicketAssigned)
    return Due(delivery, row["name"], row["mail"], row["still_assigned"], still_due)


def _delivery(row: Any) -> Delivery:  # noqa: ANN401 - asyncpg has no types
    return Delivery(
        id=row["delivery_id"],
        alert=row["alert"],
        specialist_id=row["specialist_id"],
        fact=NOTIFIABLE[row["fact_type"]].model_validate_json(row["fact"]),
        traceparent=row["traceparent"],
        planned_at=row["planned_at"],
        attempts=row["attempts"],
    )
