"""Applies ledgers to assignments: one specialist per call, none for a call that is over."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from router.domain.assignment.session import AssignmentSession
from router.domain.callbacks.ledger import Call
from router.domain.callbacks.ledger_session import Book, Dial, Stranger, owes_a_call
from shared.events import AssignmentResponded, ClockFact, Envelope, Event

__all__ = ["dial", "follow", "hear", "remind"]


def follow(session: AssignmentSession, book: Book, envelope: Envelope[Event]) -> None:
    """Apply one event to the tickets, and to the ledger that it concerns."""
    if not owes_a_call(envelope.event):
        session.apply(envelope)
        if isinstance(envelope.event, ClockFact):
            _retime(session, book, envelope.event.ticket_id, envelope)
        return
    ticket_id = UUID(envelope.event.subject)
    ticket = session.state.tickets.get(ticket_id)
    before = book.calls(ticket_id)
    book.learn(envelope, unknown=ticket is None or ticket.request is None)
    _join(session, book, book.calls(ticket_id), envelope)
    session.apply(envelope)
    book.reprice(ticket_id, session.state.tickets[ticket_id].call_due_at)
    _conclude(session, book, ticket_id, before, envelope)


def _retime(
    session: AssignmentSession, book: Book, ticket_id: UUID, envelope: Envelope[Event]
) -> None:
    before = book.calls(ticket_id)
    book.reprice(ticket_id, session.state.tickets[ticket_id].call_due_at)
    _conclude(session, book, ticket_id, before, envelope)


def hear(session: AssignmentSession, book: Book) -> None:
    """Apply the answers that specialists reported in this session to the ledgers."""
    announced = session.state.announced
    for envelope in [e for e in announced if isinstance(e.event, AssignmentResponded)]:
        ticket_id = UUID(envelope.event.subject)
        before = book.calls(ticket_id)
        book.learn(envelope, unknown=False)
        _conclude(session, book, ticket_id, before, envelope)


def dial(session: AssignmentSession, book: Book, dialled: Dial, now: datetime) -> Call:
    """Record the result of a call; a customer who was reached needs no other.

    Raises NoCallback, Settled, Stranger.
    """
    if session.state.roster.get(dialled.specialist_id) is None:
        raise Stranger
    before = book.calls(dialled.ticket_id)
    attempt = book.log(dialled, now)
    if attempt is not None:
        _conclude(session, book, dialled.ticket_id, before, attempt)
    return book.call_at(dialled.ticket_id, dialled.at or now)


def remind(session: AssignmentSession, book: Book, now: datetime) -> None:
    """Announce reminders of the calls that are due, to the specialists who have their tickets."""
    for ticket_id in sorted(book.due(now)):
        for call in book.calls(ticket_id):
            if ticket_id in call.open:
                book.remind(call, session.state.tickets[_leader(session, call)], now)
        book.forget_reminder(ticket_id)


def _conclude(
    session: AssignmentSession,
    book: Book,
    ticket_id: UUID,
    before: Sequence[Call],
    cause: Envelope[Event],
) -> None:
    calls = book.calls(ticket_id)
    for settled in book.settle(before, calls, cause):
        session.apply(settled)
    for call in calls:
        _separate(session, call)
        book.plan(before, call, _leader(session, call) if call.open else None, cause)


def _join(
    session: AssignmentSession, book: Book, calls: Iterable[Call], cause: Envelope[Event]
) -> None:
    """Join the open tickets of a call to its leader, before any of them is allocated."""
    for call in calls:
        for ticket_id in call.open:
            leader = _leader(session, call)
            ticket = session.state.tickets.get(ticket_id)
            if ticket_id == leader or (ticket is not None and ticket.with_whom is not None):
                continue
            if ticket is None or ticket.rides_with != leader:
                session.set_joined(ticket_id, leader)
                book.join(ticket_id, leader, cause)


def _separate(session: AssignmentSession, call: Call) -> None:
    """Separate the leader, and tickets that wait for no call any more, from those they joined."""
    leads = {_leader(session, call)} if call.open else set()
    for wish in call.wishes:
        ticket = session.state.tickets[wish.ticket_id]
        if ticket.rides_with is not None and (
            wish.ticket_id in leads or wish.ticket_id not in call.open
        ):
            session.set_joined(wish.ticket_id, None)


def _leader(session: AssignmentSession, call: Call) -> UUID:
    """Choose the ticket that leads: with a specialist, else joined by others, else the first."""
    known = session.state.tickets
    tickets = [known[i] for i in call.open if i in known]
    held = [t.ticket_id for t in tickets if t.with_whom is not None]
    followed = {t.rides_with for t in tickets}
    return next((i for i in (*held, *call.open) if i in held or i in followed), call.open[0])
