"""What acts come to: each has its effect on the desk once, or is refused with words."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import uuid5

from router.domain.assignment.session import Desk
from router.domain.commands import (
    Accept,
    Act,
    Confirm,
    Conflict,
    Decline,
    DeclineOffer,
    Done,
    HandBack,
    Leave,
    Move,
    NotTheirs,
    Outcome,
    Pin,
    Reclassify,
    Respond,
    Return,
    Say,
    Standing,
    Unknown,
    Word,
    deed_of,
)
from router.domain.offers.offer import Offer
from router.domain.specialist import Specialist
from router.domain.ticket import Ticket
from shared.events import AssignmentResponded, Envelope, SeverityConfirmed, SeverityReclassified
from shared.sla.promises import Severity

__all__ = ["do", "say"]


def do(desk: Desk, act: Act, offer: Offer | None) -> Done:
    """Let an act have its effect; ``offer`` is the one it is about. Raises Unknown, Conflict."""
    if isinstance(act, Accept | DeclineOffer):
        ticket = _on_offer(desk, act, offer)
        had_it = None
    else:
        known = desk.tickets.get(act.ticket_id)
        if known is None:
            raise Unknown(f"there is no ticket {act.ticket_id}")
        desk.go_on(act.ticket_id, act.traceparent)
        ticket, had_it = known, known.with_whom
        _ON_TICKETS[type(act)](desk, ticket, act)
    deed = deed_of(act)
    return Done(
        deed=deed if deed.from_id else deed._replace(from_id=had_it),
        reason=getattr(act, "reason", None),
        outcome=Outcome(ticket.ticket_id, _standing(ticket), ticket.with_whom),
    )


def say(desk: Desk, word: Word) -> Specialist:
    """Take somebody's word on their presence. Raises Unknown."""
    known = _person(desk, word.specialist_id)
    match word:
        case Say():
            specialist = _beat(desk, word)
        case Leave():
            specialist = desk.go_or_come_back(known.specialist_id, away="said")
        case Return():
            specialist = desk.go_or_come_back(known.specialist_id, away=None)
            if specialist.said == "away":
                specialist = _beat(desk, Say(known.specialist_id, "online"))
    if specialist.there and (not known.there or isinstance(word, Return)):
        desk.hear_again(specialist.specialist_id)
    desk.come_and_go(specialist)
    return specialist


def _beat(desk: Desk, act: Say) -> Specialist:
    lease = timedelta(seconds=desk.rules.presence_lease_s)
    until = None if act.presence == "offline" else desk.now + lease
    specialist = desk.say(act.specialist_id, act.presence, until)
    if act.hand_back:
        by, reason = act.specialist_id, "leaves"
        held = [t for t in desk.tickets.values() if t.specialist_id == act.specialist_id]
        backs = [desk.hand_back(t, "by_hand", by=by, reason=reason) for t in held]
        desk.took_back(backs)
    return specialist


def _standing(ticket: Ticket) -> Standing:
    if ticket.specialist_id is not None:
        return "assigned"
    if ticket.offer is not None:
        return "offered"
    return "waiting" if ticket.needs_specialist else "settled"


def _on_offer(desk: Desk, act: Accept | DeclineOffer, offer: Offer | None) -> Ticket:
    if offer is None or offer.specialist_id != act.specialist_id:
        raise Unknown(f"{act.specialist_id} has no offer {act.offer_id}")
    ticket = desk.tickets[offer.ticket_id]
    desk.go_on(offer.ticket_id, act.traceparent)
    offer = desk.offers.get(offer.offer_id, offer)
    if offer.state != "open":
        raise Conflict(_TOO_LATE[offer.state])
    if isinstance(act, Accept):
        desk.accept(ticket)
    else:
        desk.took_back([desk.decline(ticket, act.reason)])
    return ticket


def _decline(desk: Desk, ticket: Ticket, act: Decline) -> None:
    if ticket.with_whom != act.specialist_id:
        raise NotTheirs(_not_theirs(act.specialist_id))
    desk.took_back([desk.decline(ticket, act.reason)])


def _hand_back(desk: Desk, ticket: Ticket, act: HandBack) -> None:
    _demand_held(ticket, act.specialist_id)
    back = desk.hand_back(ticket, "by_hand", by=act.by, reason=act.reason)
    desk.took_back([back])


def _respond(desk: Desk, ticket: Ticket, act: Respond) -> None:
    _demand_held(ticket, act.specialist_id)
    event = AssignmentResponded(ticket_id=ticket.ticket_id, specialist_id=act.specialist_id)
    desk.fold(ticket.ticket_id, _told(desk, ticket, event))


def _confirm(desk: Desk, ticket: Ticket, act: Confirm) -> None:
    _demand_held(ticket, act.specialist_id)
    if ticket.confirmed == ticket.severity:
        raise Conflict(f"that it is {_plain(ticket.severity)} is confirmed already")
    event = SeverityConfirmed(
        ticket_id=ticket.ticket_id, specialist_id=act.specialist_id, severity=ticket.severity
    )
    ticket.confirmed = ticket.severity
    desk.touched.add(ticket.ticket_id)
    _told(desk, ticket, event)


def _reclassify(desk: Desk, ticket: Ticket, act: Reclassify) -> None:
    _demand_held(ticket, act.specialist_id)
    if ticket.severity == act.severity:
        raise Conflict(f"it is {_plain(act.severity)} already")
    event = SeverityReclassified(
        ticket_id=ticket.ticket_id, specialist_id=act.specialist_id, severity=act.severity
    )
    desk.fold(ticket.ticket_id, _told(desk, ticket, event))
    ticket.confirmed = ticket.severity


def _move(desk: Desk, ticket: Ticket, act: Move) -> None:
    _demand_open(ticket)
    to = _person(desk, act.to)
    if ticket.specialist_id == act.to:
        raise Conflict(f"{act.to} has it already")
    if not to.there:
        raise Conflict(f"{act.to} is {_where(to)}: choose somebody who is there")
    backs = []
    if ticket.offer is not None:
        backs = [desk.withdraw(ticket, "moved")]
    elif ticket.specialist_id is not None:
        backs = [desk.hand_back(ticket, "moved", by=act.by, reason=act.reason)]
    if not to.can_take(ticket.terms.channel):
        raise Conflict(f"{act.to} has no room for {ticket.terms.channel}: move something else away")
    ticket.pinned_to = None
    desk.assign(ticket, to)
    desk.took_back(backs)


def _pin(desk: Desk, ticket: Ticket, act: Pin) -> None:
    _demand_open(ticket)
    if ticket.pinned_to == act.to:
        raise Conflict(f"it is pinned to {act.to} already" if act.to else "it is not pinned")
    if act.to is not None:
        _person(desk, act.to)
        pool = ticket.pool or ticket.place(desk.roster.rules, desk.now)  # it may not wait yet
        if not desk.roster.qualifies(act.to, pool):
            raise Conflict(f"{act.to} does not serve its channel and language: move it instead")
        if ticket.specialist_id not in {None, act.to}:
            raise Conflict(f"{ticket.specialist_id} has it: move it instead")
    ticket.pinned_to = act.to
    desk.touched.add(ticket.ticket_id)
    rings_elsewhere = ticket.offer is not None and act.to not in {None, ticket.with_whom}
    desk.took_back([desk.withdraw(ticket, "pinned")] if rings_elsewhere else [])
    desk.line_up(ticket)


def _demand_held(ticket: Ticket, specialist_id: str) -> None:
    if ticket.specialist_id != specialist_id:
        raise NotTheirs(_not_theirs(specialist_id))


def _demand_open(ticket: Ticket) -> None:
    if not ticket.needs_specialist:
        raise Conflict("nothing is left to do about it: it was answered, resolved or closed")


def _person(desk: Desk, specialist_id: str) -> Specialist:
    person = desk.roster.get(specialist_id)
    if person is None or person.removed:
        raise Unknown(f"there is no specialist {specialist_id}")
    return person


def _told[E: AssignmentResponded | SeverityConfirmed | SeverityReclassified](
    desk: Desk, ticket: Ticket, event: E
) -> Envelope[Any]:
    """Announce what a specialist says of a ticket; each saying is a fact of its own."""
    cause = uuid5(ticket.ticket_id, f"{event.type}/{desk.now.isoformat()}")
    desk.announce(cause, event)
    return desk.announced[-1]


def _where(specialist: Specialist) -> str:
    return "off shift" if specialist.seen == "online" else specialist.seen


def _not_theirs(specialist_id: str) -> str:
    return f"{specialist_id} does not have this ticket: someone was faster"


def _plain(severity: Severity) -> str:
    return severity.replace("_", " ")


_ON_TICKETS: Final[dict[type, Callable[[Desk, Ticket, Any], None]]] = {
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
