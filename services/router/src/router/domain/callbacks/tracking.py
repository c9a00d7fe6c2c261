"""What ledgers mean for the desk: one specialist for one call, and none for a call that is over."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from router.domain.assignment.session import Desk
from router.domain.callbacks.ledger import Call
from router.domain.callbacks.ledger_session import Book, Dial, Stranger, owes_a_call
from shared.events import AssignmentResponded, ClockFact, Envelope, Event

__all__ = ["dial", "follow", "hear", "remind"]


def follow(desk: Desk, book: Book, envelope: Envelope[Event]) -> None:
    """Let one event have its effect on the desk, and on the ledger that it concerns."""
    if not owes_a_call(envelope.event):
        desk.apply(envelope)
        if isinstance(envelope.event, ClockFact):
            _retime(desk, book, envelope.event.ticket_id, envelope)
        return
    ticket_id = UUID(envelope.event.subject)
    ticket = desk.tickets.get(ticket_id)
    before = book.calls(ticket_id)
    book.learn(envelope, unknown=ticket is None or ticket.request is None)
    _let_ride(desk, book, book.calls(ticket_id), envelope)
    desk.apply(envelope)
    book.reprice(ticket_id, desk.tickets[ticket_id].call_due_at)
    _conclude(desk, book, ticket_id, before, envelope)


def _retime(desk: Desk, book: Book, ticket_id: UUID, envelope: Envelope[Event]) -> None:
    before = book.calls(ticket_id)
    book.reprice(ticket_id, desk.tickets[ticket_id].call_due_at)
    _conclude(desk, book, ticket_id, before, envelope)


def hear(desk: Desk, book: Book) -> None:
    """Let ledgers learn what was said at the desk itself: that the customer has an answer."""
    for envelope in [e for e in desk.announced if isinstance(e.event, AssignmentResponded)]:
        ticket_id = UUID(envelope.event.subject)
        before = book.calls(ticket_id)
        book.learn(envelope, unknown=False)
        _conclude(desk, book, ticket_id, before, envelope)


def dial(desk: Desk, book: Book, dialled: Dial, now: datetime) -> Call:
    """Take down what came of a call; who was spoken to needs nobody any more.

    Raises NoCallback, Settled, Stranger.
    """
    if desk.roster.get(dialled.specialist_id) is None:
        raise Stranger
    before = book.calls(dialled.ticket_id)
    attempt = book.log(dialled, now)
    if attempt is not None:
        _conclude(desk, book, dialled.ticket_id, before, attempt)
    return book.call_at(dialled.ticket_id, dialled.at or now)


def remind(desk: Desk, book: Book, now: datetime) -> None:
    """Remind those whose planned dial is due; who has no ticket at hand is given one anyway."""
    for ticket_id in sorted(book.due(now)):
        for call in book.calls(ticket_id):
            if ticket_id in call.open:
                book.remind(call, desk.tickets[_leader(desk, call)], now)
        book.forget_reminder(ticket_id)


def _conclude(
    desk: Desk, book: Book, ticket_id: UUID, before: Sequence[Call], cause: Envelope[Event]
) -> None:
    calls = book.calls(ticket_id)
    for settled in book.settle(before, calls, cause):
        desk.apply(settled)
    for call in calls:
        _part(desk, call)
        book.plan(before, call, _leader(desk, call) if call.open else None, cause)


def _let_ride(desk: Desk, book: Book, calls: Iterable[Call], cause: Envelope[Event]) -> None:
    """Before somebody is found for them: all but one wait for that one's call."""
    for call in calls:
        for ticket_id in call.open:
            leader = _leader(desk, call)
            ticket = desk.tickets.get(ticket_id)
            if ticket_id == leader or (ticket is not None and ticket.with_whom is not None):
                continue
            if ticket is None or ticket.rides_with != leader:
                desk.ride(ticket_id, leader)
                book.join(ticket_id, leader, cause)


def _part(desk: Desk, call: Call) -> None:
    """Find somebody for whoever leads now, and nobody's call for those who are owed none."""
    leads = {_leader(desk, call)} if call.open else set()
    for wish in call.wishes:
        ticket = desk.tickets[wish.ticket_id]
        if ticket.rides_with is not None and (
            wish.ticket_id in leads or wish.ticket_id not in call.open
        ):
            desk.ride(wish.ticket_id, None)


def _leader(desk: Desk, call: Call) -> UUID:
    """Choose who stands for a call: who is in somebody's hands, else whom others ride with."""
    tickets = [desk.tickets[i] for i in call.open if i in desk.tickets]
    held = [t.ticket_id for t in tickets if t.with_whom is not None]
    followed = {t.rides_with for t in tickets}
    return next((i for i in (*held, *call.open) if i in held or i in followed), call.open[0])
