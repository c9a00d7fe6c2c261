"""Executes the commands of specialists and leads, or refuses them with a reason."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import uuid5

from router.domain.assignment.session import AssignmentSession
from router.domain.commands import (
    Accept,
    Command,
    CommandOutcome,
    Confirm,
    Conflict,
    Decline,
    DeclineOffer,
    EndAway,
    ExecutedCommand,
    HandBack,
    Move,
    NotTheirs,
    Pin,
    PresenceCommand,
    PresenceReport,
    Reclassify,
    Respond,
    SetAway,
    TicketStatus,
    Unknown,
    identity_of,
)
from router.domain.offers.offer import Offer
from router.domain.specialist import Specialist
from router.domain.ticket import Ticket
from shared.events import AssignmentResponded, Envelope, SeverityConfirmed, SeverityReclassified
from shared.sla.promises import Severity

__all__ = ["execute", "report_presence"]


def execute(session: AssignmentSession, command: Command, offer: Offer | None) -> ExecutedCommand:
    """Execute a command; ``offer`` is the one that it names, if any.

    Raises:
        Unknown: the ticket, offer or specialist does not exist.
        Conflict: the command is not possible in the present state.
    """
    if isinstance(command, Accept | DeclineOffer):
        ticket = _answer_offer(session, command, offer)
        had_it = None
    else:
        known = session.state.tickets.get(command.ticket_id)
        if known is None:
            raise Unknown(f"there is no ticket {command.ticket_id}")
        session.state.continue_trace(command.ticket_id, command.traceparent)
        ticket, had_it = known, known.current_specialist_id
        _ON_TICKETS[type(command)](session, ticket, command)
    identity = identity_of(command)
    return ExecutedCommand(
        identity=identity if identity.from_id else identity._replace(from_id=had_it),
        reason=getattr(command, "reason", None),
        outcome=CommandOutcome(ticket.ticket_id, _status(ticket), ticket.current_specialist_id),
    )


def report_presence(session: AssignmentSession, command: PresenceCommand) -> Specialist:
    """Apply what a specialist reports about their presence; return the specialist after it.

    Raises:
        Unknown: the specialist does not exist.
    """
    known = _specialist(session, command.specialist_id)
    match command:
        case PresenceReport():
            specialist = _set_presence(session, command)
        case SetAway():
            specialist = session.set_away(known.specialist_id, away="said")
        case EndAway():
            specialist = session.set_away(known.specialist_id, away=None)
            if specialist.reported_presence == "away":
                specialist = _set_presence(session, PresenceReport(known.specialist_id, "online"))
    if specialist.available and (not known.available or isinstance(command, EndAway)):
        session.end_exclusions(specialist.specialist_id)
    session.reassign_after_availability_change(specialist)
    return specialist


def _set_presence(session: AssignmentSession, command: PresenceReport) -> Specialist:
    lease = timedelta(seconds=session.state.rules.presence_lease_s)
    until = None if command.presence == "offline" else session.state.now + lease
    specialist = session.set_presence(command.specialist_id, command.presence, until)
    if command.hand_back:
        by, reason = command.specialist_id, "leaves"
        held = [
            t for t in session.state.tickets.values() if t.specialist_id == command.specialist_id
        ]
        freed = [session.assignments.hand_back(t, "by_hand", by=by, reason=reason) for t in held]
        session.reassign(freed)
    return specialist


def _status(ticket: Ticket) -> TicketStatus:
    if ticket.specialist_id is not None:
        return "assigned"
    if ticket.offer is not None:
        return "offered"
    return "waiting" if ticket.needs_specialist else "settled"


def _answer_offer(
    session: AssignmentSession, command: Accept | DeclineOffer, offer: Offer | None
) -> Ticket:
    if offer is None or offer.specialist_id != command.specialist_id:
        raise Unknown(f"{command.specialist_id} has no offer {command.offer_id}")
    ticket = session.state.tickets[offer.ticket_id]
    session.state.continue_trace(offer.ticket_id, command.traceparent)
    offer = session.state.offers.get(offer.offer_id, offer)
    if offer.state != "open":
        raise Conflict(_TOO_LATE[offer.state])
    if isinstance(command, Accept):
        session.assignments.accept(ticket)
    else:
        session.reassign([session.assignments.decline(ticket, command.reason)])
    return ticket


def _decline(session: AssignmentSession, ticket: Ticket, command: Decline) -> None:
    if ticket.current_specialist_id != command.specialist_id:
        raise NotTheirs(_not_theirs(command.specialist_id))
    session.reassign([session.assignments.decline(ticket, command.reason)])


def _hand_back(session: AssignmentSession, ticket: Ticket, command: HandBack) -> None:
    _require_assigned(ticket, command.specialist_id)
    freed = session.assignments.hand_back(ticket, "by_hand", by=command.by, reason=command.reason)
    session.reassign([freed])


def _respond(session: AssignmentSession, ticket: Ticket, command: Respond) -> None:
    _require_assigned(ticket, command.specialist_id)
    event = AssignmentResponded(ticket_id=ticket.ticket_id, specialist_id=command.specialist_id)
    session.apply_fact(ticket.ticket_id, _announce(session, ticket, event))


def _confirm(session: AssignmentSession, ticket: Ticket, command: Confirm) -> None:
    _require_assigned(ticket, command.specialist_id)
    if ticket.confirmed == ticket.severity:
        raise Conflict(f"the severity {_plain(ticket.severity)} is confirmed already")
    event = SeverityConfirmed(
        ticket_id=ticket.ticket_id, specialist_id=command.specialist_id, severity=ticket.severity
    )
    ticket.confirmed = ticket.severity
    session.state.touched.add(ticket.ticket_id)
    _announce(session, ticket, event)


def _reclassify(session: AssignmentSession, ticket: Ticket, command: Reclassify) -> None:
    _require_assigned(ticket, command.specialist_id)
    if ticket.severity == command.severity:
        raise Conflict(f"it is {_plain(command.severity)} already")
    event = SeverityReclassified(
        ticket_id=ticket.ticket_id, specialist_id=command.specialist_id, severity=command.severity
    )
    session.apply_fact(ticket.ticket_id, _announce(session, ticket, event))
    ticket.confirmed = ticket.severity


def _move(session: AssignmentSession, ticket: Ticket, command: Move) -> None:
    _require_open(ticket)
    to = _specialist(session, command.to)
    if ticket.specialist_id == command.to:
        raise Conflict(f"{command.to} has it already")
    if not to.available:
        raise Conflict(f"{command.to} is {_availability(to)}: choose an available specialist")
    freed = []
    if ticket.offer is not None:
        freed = [session.assignments.withdraw(ticket, "moved")]
    elif ticket.specialist_id is not None:
        freed = [
            session.assignments.hand_back(ticket, "moved", by=command.by, reason=command.reason)
        ]
    if not to.can_take(ticket.terms.channel):
        raise Conflict(
            f"{command.to} has no room for {ticket.terms.channel}: move another ticket away"
        )
    ticket.pinned_to = None
    session.assignments.assign(ticket, to)
    session.reassign(freed)


def _pin(session: AssignmentSession, ticket: Ticket, command: Pin) -> None:
    _require_open(ticket)
    if ticket.pinned_to == command.to:
        raise Conflict(
            f"it is pinned to {command.to} already" if command.to else "it is not pinned"
        )
    if command.to is not None:
        _specialist(session, command.to)
        pool = ticket.pool or ticket.update_queue_place(
            session.state.roster.rules, session.state.now
        )  # the ticket may not be in a queue yet
        if not session.state.roster.qualifies(command.to, pool):
            raise Conflict(f"{command.to} does not serve its channel and language: move it instead")
        if ticket.specialist_id not in {None, command.to}:
            raise Conflict(f"{ticket.specialist_id} has it: move it instead")
    ticket.pinned_to = command.to
    session.state.touched.add(ticket.ticket_id)
    rings_elsewhere = ticket.offer is not None and command.to not in {
        None,
        ticket.current_specialist_id,
    }
    session.reassign([session.assignments.withdraw(ticket, "pinned")] if rings_elsewhere else [])
    session.dispatcher.enqueue_and_match(ticket)


def _require_assigned(ticket: Ticket, specialist_id: str) -> None:
    if ticket.specialist_id != specialist_id:
        raise NotTheirs(_not_theirs(specialist_id))


def _require_open(ticket: Ticket) -> None:
    if not ticket.needs_specialist:
        raise Conflict("no work is left on it: it was answered, resolved or closed")


def _specialist(session: AssignmentSession, specialist_id: str) -> Specialist:
    specialist = session.state.roster.get(specialist_id)
    if specialist is None or specialist.removed:
        raise Unknown(f"there is no specialist {specialist_id}")
    return specialist


def _announce[E: AssignmentResponded | SeverityConfirmed | SeverityReclassified](
    session: AssignmentSession, ticket: Ticket, event: E
) -> Envelope[Any]:
    """Announce what a specialist reports about a ticket; each report is an event of its own."""
    cause = uuid5(ticket.ticket_id, f"{event.type}/{session.state.now.isoformat()}")
    session.state.announce(cause, event)
    return session.state.announced[-1]


def _availability(specialist: Specialist) -> str:
    return (
        "off shift" if specialist.effective_presence == "online" else specialist.effective_presence
    )


def _not_theirs(specialist_id: str) -> str:
    return f"{specialist_id} does not have this ticket: someone was faster"


def _plain(severity: Severity) -> str:
    return severity.replace("_", " ")


_ON_TICKETS: Final[dict[type, Callable[[AssignmentSession, Ticket, Any], None]]] = {
    Decline: _decline,
    HandBack: _hand_back,
    Respond: _respond,
    Confirm: _confirm,
    Reclassify: _reclassify,
    Move: _move,
    Pin: _pin,
}
_TOO_LATE: Final = {
    "accepted": "this offer was accepted: hand the ticket back instead",
    "declined": "this offer was declined: the ticket went on to others",
    "expired": "the lease of this offer has ended: the ticket went on to others",
    "withdrawn": "this offer was withdrawn: the ticket needs no specialist, or another has it",
}
