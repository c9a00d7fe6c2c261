"""Publishes, after each decision, which promises have become infeasible or feasible again."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID, uuid5

from router.domain.assignment.state import AssignmentState
from router.domain.coverage import (
    COVERED_NOW,
    Coverage,
    LanguageQueue,
    coverage_of,
    is_infeasible,
    language_queue_of,
    withdrawal_reason,
)
from router.domain.ticket import Ticket
from router.store import coverage as coverage_store
from router.store.coverage import InfeasibleTicket, PublishedCoverage
from shared.events import Envelope, Event, PromiseFeasible, PromiseInfeasible, Withdrawal
from shared.events.assignments import AssignmentFact
from shared.platform.postgres import Tx

__all__ = ["update_infeasible"]


async def update_infeasible(tx: Tx, state: AssignmentState, now: datetime) -> list[Envelope[Event]]:
    """Update the infeasible tickets after a decision; return the events to publish.

    A change of the roster moves the time up to which promises of a queue are infeasible. The
    tickets between the old and the new time are found by an index range.
    """
    touched = [ticket for i in sorted(state.touched) if (ticket := state.tickets[i]).request]
    known, marked = await coverage_store.load(tx, [ticket.ticket_id for ticket in touched])
    published = known | _recomputed(state, touched, known)
    announced: list[Envelope[Event]] = []
    for queue, current in published.items():
        if current.published_until != current.coverage.opens_at:
            facts, published[queue] = await _publish_step(tx, queue, current, marked, now)
            announced += facts
    await coverage_store.save(
        tx, {queue: current for queue, current in published.items() if known.get(queue) != current}
    )
    return announced + await _update_touched(tx, touched, published, marked, now)


def _recomputed(
    state: AssignmentState, touched: Iterable[Ticket], known: dict[LanguageQueue, PublishedCoverage]
) -> dict[LanguageQueue, PublishedCoverage]:
    """Compute the coverage of all queues if the roster has changed, else only of new queues."""
    new = {language_queue_of(ticket) for ticket in touched if ticket.waits} - known.keys()
    roster_changed = state.listed or state.shift_changed
    asked = new.union(known) if roster_changed else new
    if not asked:
        return {}
    found = coverage_of(state.roster.specialists.values(), asked)
    return {
        queue: PublishedCoverage(
            coverage, known[queue].published_until if queue in known else COVERED_NOW
        )
        for queue, coverage in found.items()
    }


async def _publish_step(
    tx: Tx,
    queue: LanguageQueue,
    published: PublishedCoverage,
    marked: dict[UUID, datetime],
    now: datetime,
) -> tuple[list[Envelope[Event]], PublishedCoverage]:
    """Publish changes for up to STEP_MAX tickets due between the old and the new coverage."""
    if published.published_until < published.coverage.opens_at:
        rows, until = await coverage_store.mark_next(tx, queue, published, now)
        for row in rows:
            marked.setdefault(row.ticket_id, row.due_at)
        facts = [_infeasible(row, queue, published.coverage, now) for row in rows]
    else:
        freed, until = await coverage_store.unmark_next(tx, queue, published)
        for ticket_id in marked.keys() & freed:
            del marked[ticket_id]
        facts = [
            _feasible(ticket_id, "past_due" if due_at <= now else "covered", now)
            for ticket_id, due_at in freed.items()
        ]
    return facts, published._replace(published_until=until)


async def _update_touched(
    tx: Tx,
    touched: list[Ticket],
    published: dict[LanguageQueue, PublishedCoverage],
    marked: dict[UUID, datetime],
    now: datetime,
) -> list[Envelope[Event]]:
    """Mark touched tickets that have become infeasible, and unmark those that no longer are."""
    newly_infeasible = [
        t
        for t in touched
        if _is_infeasible(t, published, now) and marked.get(t.ticket_id) != t.due_at
    ]
    freed = [t for t in touched if t.ticket_id in marked and not _is_infeasible(t, published, now)]
    if newly_infeasible:
        await coverage_store.mark(tx, newly_infeasible)
    if freed:
        await coverage_store.unmark(tx, [ticket.ticket_id for ticket in freed])
    return [
        *_infeasible_events(newly_infeasible, published, now),
        *(_feasible(t.ticket_id, withdrawal_reason(t, now), now) for t in freed),
    ]


def _is_infeasible(
    ticket: Ticket, published: dict[LanguageQueue, PublishedCoverage], now: datetime
) -> bool:
    return ticket.waits and is_infeasible(
        ticket, published[language_queue_of(ticket)].published_until, now
    )


def _infeasible_events(
    tickets: Iterable[Ticket], published: dict[LanguageQueue, PublishedCoverage], now: datetime
) -> Iterator[Envelope[Event]]:
    for ticket in tickets:
        terms, queue = ticket.terms, language_queue_of(ticket)
        assert ticket.due_at is not None  # noqa: S101 - what waits was accepted
        row = InfeasibleTicket(ticket.ticket_id, terms.account_id, terms.language, ticket.due_at)
        yield _infeasible(row, queue, published[queue].coverage, now)


def _infeasible(
    row: InfeasibleTicket, queue: LanguageQueue, coverage: Coverage, now: datetime
) -> Envelope[Event]:
    event = PromiseInfeasible(
        ticket_id=row.ticket_id,
        account_id=row.account_id,
        channel=queue.channel,
        language=row.language,
        due_at=row.due_at,
        constraint=coverage.constraint,
        spoken=coverage.spoken,
        opens_at=coverage.next_shift_at,
    )
    return _envelope(event, now)


def _feasible(ticket_id: UUID, reason: Withdrawal, now: datetime) -> Envelope[Event]:
    return _envelope(PromiseFeasible(ticket_id=ticket_id, reason=reason), now)


def _envelope(event: AssignmentFact, now: datetime) -> Envelope[Event]:
    cause = uuid5(event.ticket_id, f"feasibility/{now.isoformat()}")
    return Envelope.caused_by(cause, event, source="router", time=now)
