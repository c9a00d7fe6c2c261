"""After each decision: which promises nobody can keep now, and which somebody can."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID, uuid5

from router.domain.assignment.state import AssignmentState
from router.domain.coverage import (
    OPEN,
    Outlook,
    Pool,
    is_infeasible,
    outlooks,
    pool_of,
    why_no_more,
    words,
)
from router.domain.ticket import Ticket
from router.store import coverage as coverage_store
from router.store.coverage import Kept, Row
from shared.events import Envelope, Event, PromiseFeasible, PromiseInfeasible, Withdrawal
from shared.events.assignments import AssignmentFact
from shared.platform.postgres import Tx

__all__ = ["keep"]


async def keep(tx: Tx, state: AssignmentState, now: datetime) -> list[Envelope[Event]]:
    """Bring marks to what roster and tickets are since the decision; what to tell comes back.

    A change of the roster moves, for each pool, the instant up to which promises are infeasible:
    who lies between the old one and the new is found by a range of an index.
    """
    touched = [ticket for i in sorted(state.touched) if (ticket := state.tickets[i]).request]
    known, marked = await coverage_store.seen(tx, [ticket.ticket_id for ticket in touched])
    kept = known | _looked_out(state, touched, known)
    told: list[Envelope[Event]] = []
    for pool, one in kept.items():
        if one.told_until != one.outlook.opens_at:
            facts, kept[pool] = await _step(tx, pool, one, marked, now)
            told += facts
    await coverage_store.save(
        tx, {pool: one for pool, one in kept.items() if known.get(pool) != one}
    )
    return told + await _follow(tx, touched, kept, marked, now)


def _looked_out(
    state: AssignmentState, touched: Iterable[Ticket], known: dict[Pool, Kept]
) -> dict[Pool, Kept]:
    """Look out anew for whom the roster may have changed, and for pools nobody waited in before."""
    new = {pool_of(ticket) for ticket in touched if ticket.waits} - known.keys()
    roster_changed = state.listed or state.shift_changed
    asked = new.union(known) if roster_changed else new
    if not asked:
        return {}
    found = outlooks(state.roster.everybody.values(), asked)
    return {
        pool: Kept(outlook, known[pool].told_until if pool in known else OPEN)
        for pool, outlook in found.items()
    }


async def _step(
    tx: Tx, pool: Pool, kept: Kept, marked: dict[UUID, datetime], now: datetime
) -> tuple[list[Envelope[Event]], Kept]:
    """Tell of a thousand of those who lie between what was told and what is; marks follow."""
    if kept.told_until < kept.outlook.opens_at:
        rows, until = await coverage_store.raise_(tx, pool, kept, now)
        for row in rows:
            marked.setdefault(row.ticket_id, row.due_at)
        facts = [_infeasible(row, pool, kept.outlook, now) for row in rows]
    else:
        freed, until = await coverage_store.lower(tx, pool, kept)
        for ticket_id in marked.keys() & freed:
            del marked[ticket_id]
        facts = [
            _feasible(ticket_id, "past_due" if due_at <= now else "covered", now)
            for ticket_id, due_at in freed.items()
        ]
    return facts, kept._replace(told_until=until)


async def _follow(
    tx: Tx,
    touched: list[Ticket],
    kept: dict[Pool, Kept],
    marked: dict[UUID, datetime],
    now: datetime,
) -> list[Envelope[Event]]:
    """Mark the tickets that came to wait, and unmark those that wait no more or are due later."""
    news = [t for t in touched if _is_stuck(t, kept, now) and marked.get(t.ticket_id) != t.due_at]
    freed = [t for t in touched if t.ticket_id in marked and not _is_stuck(t, kept, now)]
    if news:
        await coverage_store.mark(tx, news)
    if freed:
        await coverage_store.unmark(tx, [ticket.ticket_id for ticket in freed])
    return [
        *_told(news, kept, now),
        *(_feasible(t.ticket_id, why_no_more(t, now), now) for t in freed),
    ]


def _is_stuck(ticket: Ticket, kept: dict[Pool, Kept], now: datetime) -> bool:
    return ticket.waits and is_infeasible(ticket, kept[pool_of(ticket)].told_until, now)


def _told(
    tickets: Iterable[Ticket], kept: dict[Pool, Kept], now: datetime
) -> Iterator[Envelope[Event]]:
    for ticket in tickets:
        terms, pool = ticket.terms, pool_of(ticket)
        assert ticket.due_at is not None  # noqa: S101 - what waits was accepted
        row = Row(ticket.ticket_id, terms.account_id, terms.language, ticket.due_at)
        yield _infeasible(row, pool, kept[pool].outlook, now)


def _infeasible(row: Row, pool: Pool, outlook: Outlook, now: datetime) -> Envelope[Event]:
    no_shift = outlook.constraint == "no_shift"
    event = PromiseInfeasible(
        ticket_id=row.ticket_id,
        account_id=row.account_id,
        channel=pool.channel,
        language=row.language,
        due_at=row.due_at,
        constraint=outlook.constraint,
        spoken=outlook.spoken,
        opens_at=outlook.opens_at if no_shift else None,
        words=words(pool.channel, outlook, row.due_at),
    )
    return _said(event, now)


def _feasible(ticket_id: UUID, reason: Withdrawal, now: datetime) -> Envelope[Event]:
    return _said(PromiseFeasible(ticket_id=ticket_id, reason=reason), now)


def _said(event: AssignmentFact, now: datetime) -> Envelope[Event]:
    cause = uuid5(event.ticket_id, f"feasibility/{now.isoformat()}")
    return Envelope.caused_by(cause, event, source="router", time=now)
