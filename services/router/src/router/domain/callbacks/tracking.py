"""Applies ledgers to assignments: one specialist per call, none for a call that is over."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from router.domain.assignment.session import AssignmentSession
from router.domain.callbacks.ledger import Call
from router.domain.callbacks.ledger_session import (
    CallReport,
    LedgerSession,
    UnknownSpecialist,
    may_concern_ledger,
)
from shared.events import AssignmentResponded, ClockFact, Envelope, Event

__all__ = ["announce_reminders", "apply_event", "apply_responses", "record_attempt"]


def apply_event(
    session: AssignmentSession, ledgers: LedgerSession, envelope: Envelope[Event]
) -> None:
    """Apply one event to the tickets, and to the ledger that it concerns."""
    if not may_concern_ledger(envelope.event):
        session.apply(envelope)
        if isinstance(envelope.event, ClockFact):
            _retime(session, ledgers, envelope.event.ticket_id, envelope)
        return
    ticket_id = UUID(envelope.event.subject)
    ticket = session.state.tickets.get(ticket_id)
    before = ledgers.calls(ticket_id)
    ledgers.record(envelope, unknown=ticket is None or ticket.request is None)
    _join(session, ledgers, ledgers.calls(ticket_id), envelope)
    session.apply(envelope)
    ledgers.set_due(ticket_id, session.state.tickets[ticket_id].call_due_at)
    _conclude(session, ledgers, ticket_id, before, envelope)


def _retime(
    session: AssignmentSession, ledgers: LedgerSession, ticket_id: UUID, envelope: Envelope[Event]
) -> None:
    before = ledgers.calls(ticket_id)
    ledgers.set_due(ticket_id, session.state.tickets[ticket_id].call_due_at)
    _conclude(session, ledgers, ticket_id, before, envelope)


def apply_responses(session: AssignmentSession, ledgers: LedgerSession) -> None:
    """Record in the ledgers the responses that this session announced."""
    announced = session.state.announced
    for envelope in [e for e in announced if isinstance(e.event, AssignmentResponded)]:
        ticket_id = UUID(envelope.event.subject)
        before = ledgers.calls(ticket_id)
        ledgers.record(envelope, unknown=False)
        _conclude(session, ledgers, ticket_id, before, envelope)


def record_attempt(
    session: AssignmentSession, ledgers: LedgerSession, report: CallReport, now: datetime
) -> Call:
    """Record a report of a call; if the customer was reached, release the tickets of the call.

    Raises:
        UnknownSpecialist: the specialist was never on the roster.
        NoCallback: no call was owed on the ticket then.
        AlreadySettled: the customer was spoken to before.
    """
    if session.state.roster.get(report.specialist_id) is None:
        raise UnknownSpecialist
    before = ledgers.calls(report.ticket_id)
    attempt = ledgers.record_attempt(report, now)
    if attempt is not None:
        _conclude(session, ledgers, report.ticket_id, before, attempt)
    return ledgers.call_at(report.ticket_id, report.at or now)


def announce_reminders(session: AssignmentSession, ledgers: LedgerSession, now: datetime) -> None:
    """Announce each reminder that is due to the specialist who has the call's ticket."""
    for ticket_id in sorted(ledgers.due(now)):
        for call in ledgers.calls(ticket_id):
            if ticket_id in call.open:
                ledgers.announce_reminder(call, session.state.tickets[_leader(session, call)], now)
        ledgers.clear_reminder(ticket_id)


def _conclude(
    session: AssignmentSession,
    ledgers: LedgerSession,
    ticket_id: UUID,
    before: Sequence[Call],
    cause: Envelope[Event],
) -> None:
    calls = ledgers.calls(ticket_id)
    for settled in ledgers.announce_settled(before, calls, cause):
        session.apply(settled)
    for call in calls:
        _separate(session, call)
        ledgers.announce_plan(before, call, _leader(session, call) if call.open else None, cause)


def _join(
    session: AssignmentSession,
    ledgers: LedgerSession,
    calls: Iterable[Call],
    cause: Envelope[Event],
) -> None:
    """Join the open tickets of a call to its leading ticket, before any of them is allocated."""
    for call in calls:
        for ticket_id in call.open:
            leader = _leader(session, call)
            ticket = session.state.tickets.get(ticket_id)
            if ticket_id == leader or (
                ticket is not None and ticket.current_specialist_id is not None
            ):
                continue
            if ticket is None or ticket.joined_to != leader:
                session.set_joined(ticket_id, leader)
                ledgers.announce_join(ticket_id, leader, cause)


def _separate(session: AssignmentSession, call: Call) -> None:
    """End the join of a ticket that now leads its call, or no longer waits for it."""
    leads = {_leader(session, call)} if call.open else set()
    for request in call.requests:
        ticket = session.state.tickets[request.ticket_id]
        if ticket.joined_to is not None and (
            request.ticket_id in leads or request.ticket_id not in call.open
        ):
            session.set_joined(request.ticket_id, None)


def _leader(session: AssignmentSession, call: Call) -> UUID:
    """Return the ticket that leads a call.

    It is one that a specialist has or is offered, else one that others are joined to, else the
    first.
    """
    known = session.state.tickets
    tickets = [known[i] for i in call.open if i in known]
    held = [t.ticket_id for t in tickets if t.current_specialist_id is not None]
    followed = {t.joined_to for t in tickets}
    return next((i for i in (*held, *call.open) if i in held or i in followed), call.open[0])
