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


def execute(session: AssignmentSession, act: Command, offer: Offer | None) -> ExecutedCommand:
    """Execute a command; ``offer`` is the one it is about, if any.

    Raises:
        Unknown: the ticket, offer or specialist does not exist.
        Conflict: the command is not possible as things are.
    """
    if isinstance(act, Accept | DeclineOffer):
        ticket = _on_offer(session, act, offer)
        had_it = None
    else:
        known = session.state.tickets.get(act.ticket_id)
        if known is None:
            raise Unknown(f"there is no ticket {act.ticket_id}")
        session.state.continue_trace(act.ticket_id, act.traceparent)
        ticket, had_it = known, known.current_specialist_id
        _ON_TICKETS[type(act)](session, ticket, act)
    identity = identity_of(act)
    return ExecutedCommand(
        identity=identity if identity.from_id else identity._replace(from_id=had_it),
        reason=getattr(act, "reason", None),
        outcome=CommandOutcome(ticket.ticket_id, _status(ticket), ticket.current_specialist_id),
    )


def report_presence(session: AssignmentSession, word: PresenceCommand) -> Specialist:
    """Apply what a specialist reports about their presence; return the specialist after it.

    Raises:
        Unknown: the specialist does not exist.
    """
    known = _person(session, word.specialist_id)
    match word:
        case PresenceReport():
            specialist = _set_presence(session, word)
        case SetAway():
            specialist = session.set_away(known.specialist_id, away="said")
        case EndAway():
            specialist = session.set_away(known.specialist_id, away=None)
            if specialist.reported_presence == "away":
                specialist = _set_presence(session, PresenceReport(known.specialist_id, "online"))
    if specialist.available and (not known.available or isinstance(word, EndAway)):
        session.end_exclusions(specialist.specialist_id)
    session.reassign_after_availability_change(specialist)
    return specialist


def _set_presence(session: AssignmentSession, act: PresenceReport) -> Specialist:
    lease = timedelta(seconds=session.state.rules.presence_lease_s)
    until = None if act.presence == "offline" else session.state.now + lease
    specialist = session.set_presence(act.specialist_id, act.presence, until)
    if act.hand_back:
        by, reason = act.specialist_id, "leaves"
        held = [t for t in session.state.tickets.values() if t.specialist_id == act.specialist_id]
        freed = [session.assignments.hand_back(t, "by_hand", by=by, reason=reason) for t in held]
        session.reassign(freed)
    return specialist


def _status(ticket: Ticket) -> TicketStatus:
    if ticket.specialist_id is not None:
        return "assigned"
    if ticket.offer is not None:
        return "offered"
    return "waiting" if ticket.needs_specialist else "settled"


def _on_offer(
    session: AssignmentSession, act: Accept | DeclineOffer, offer: Offer | None
) -> Ticket:
    if offer is None or offer.specialist_id != act.specialist_id:
        raise Unknown(f"{act.specialist_id} has no offer {act.offer_id}")
    ticket = session.state.tickets[offer.ticket_id]
    session.state.continue_trace(offer.ticket_id, act.traceparent)
    offer = session.state.offers.get(offer.offer_id, offer)
    if offer.state != "open":
        raise Conflict(_TOO_LATE[offer.state])
    if isinstance(act, Accept):
        session.assignments.accept(ticket)
    else:
        session.reassign([session.assignments.decline(ticket, act.reason)])
    return ticket


def _decline(session: AssignmentSession, ticket: Ticket, act: Decline) -> None:
    if ticket.current_specialist_id != act.specialist_id:
        raise NotTheirs(_not_theirs(act.specialist_id))
    session.reassign([session.assignments.decline(ticket, act.reason)])


def _hand_back(session: AssignmentSession, ticket: Ticket, act: HandBack) -> None:
    _demand_held(ticket, act.specialist_id)
    freed = session.assignments.hand_back(ticket, "by_hand", by=act.by, reason=act.reason)
    session.reassign([freed])


def _respond(session: AssignmentSession, ticket: Ticket, act: Respond) -> None:
    _demand_held(ticket, act.specialist_id)
    event = AssignmentResponded(ticket_id=ticket.ticket_id, specialist_id=act.specialist_id)
    session.apply_fact(ticket.ticket_id, _announce(session, ticket, event))


def _confirm(session: AssignmentSession, ticket: Ticket, act: Confirm) -> None:
    _demand_held(ticket, act.specialist_id)
    if ticket.confirmed == ticket.severity:
        raise Conflict(f"that it is {_plain(ticket.severity)} is confirmed already")
    event = SeverityConfirmed(
        ticket_id=ticket.ticket_id, specialist_id=act.specialist_id, severity=ticket.severity
    )
    ticket.confirmed = ticket.severity
    session.state.touched.add(ticket.ticket_id)
    _announce(session, ticket, event)


def _reclassify(session: AssignmentSession, ticket: Ticket, act: Reclassify) -> None:
    _demand_held(ticket, act.specialist_id)
    if ticket.severity == act.severity:
        raise Conflict(f"it is {_plain(act.severity)} already")
    event = SeverityReclassified(
        ticket_id=ticket.ticket_id, specialist_id=act.specialist_id, severity=act.severity
    )
    session.apply_fact(ticket.ticket_id, _announce(session, ticket, event))
    ticket.confirmed = ticket.severity


def _move(session: AssignmentSession, ticket: Ticket, act: Move) -> None:
    _demand_open(ticket)
    to = _person(session, act.to)
    if ticket.specialist_id == act.to:
        raise Conflict(f"{act.to} has it already")
    if not to.available:
        raise Conflict(f"{act.to} is {_where(to)}: choose somebody who is there")
    freed = []
    if ticket.offer is not None:
        freed = [session.assignments.withdraw(ticket, "moved")]
    elif ticket.specialist_id is not None:
        freed = [session.assignments.hand_back(ticket, "moved", by=act.by, reason=act.reason)]
    if not to.can_take(ticket.terms.channel):
        raise Conflict(f"{act.to} has no room for {ticket.terms.channel}: move something else away")
    ticket.pinned_to = None
    session.assignments.assign(ticket, to)
    session.reassign(freed)


def _pin(session: AssignmentSession, ticket: Ticket, act: Pin) -> None:
    _demand_open(ticket)
    if ticket.pinned_to == act.to:
        raise Conflict(f"it is pinned to {act.to} already" if act.to else "it is not pinned")
    if act.to is not None:
        _person(session, act.to)
        pool = ticket.pool or ticket.update_queue_place(
            session.state.roster.rules, session.state.now
        )  # it may not wait yet
        if not session.state.roster.qualifies(act.to, pool):
            raise Conflict(f"{act.to} does not serve its channel and language: move it instead")
        if ticket.specialist_id not in {None, act.to}:
            raise Conflict(f"{ticket.specialist_id} has it: move it instead")
    ticket.pinned_to = act.to
    session.state.touched.add(ticket.ticket_id)
    rings_elsewhere = ticket.offer is not None and act.to not in {
        None,
        ticket.current_specialist_id,
    }
    session.reassign([session.assignments.withdraw(ticket, "pinned")] if rings_elsewhere else [])
    session.dispatcher.enqueue_and_match(ticket)


def _demand_held(ticket: Ticket, specialist_id: str) -> None:
    if ticket.specialist_id != specialist_id:
        raise NotTheirs(_not_theirs(specialist_id))


def _demand_open(ticket: Ticket) -> None:
    if not ticket.needs_specialist:
        raise Conflict("nothing is left to do about it: it was answered, resolved or closed")


def _person(session: AssignmentSession, specialist_id: str) -> Specialist:
    person = session.state.roster.get(specialist_id)
    if person is None or person.removed:
        raise Unknown(f"there is no specialist {specialist_id}")
    return person


def _announce[E: AssignmentResponded | SeverityConfirmed | SeverityReclassified](
    session: AssignmentSession, ticket: Ticket, event: E
) -> Envelope[Any]:
    """Announce what a specialist reports about a ticket; each report is an event of its own."""
    cause = uuid5(ticket.ticket_id, f"{event.type}/{session.state.now.isoformat()}")
    session.state.announce(cause, event)
    return session.state.announced[-1]


def _where(specialist: Specialist) -> str:
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
    "withdrawn": "this offer was withdrawn: the ticket needs nobody, or somebody else has it",
}
