"""Why a ticket waits is said once, when it begins to wait."""

from router.domain.assignment.session import AssignmentSession
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from shared.events import Envelope, Event, TicketQueued
from shared.testing.builders import NOON, a_specialist, a_ticket, removed

DIRECTLY = OfferRules(rings={})


def after(*records: Envelope[Event]) -> AssignmentSession:
    """Apply records to an empty session."""
    session = AssignmentSession(Roster([]), [], NOON, DIRECTLY)
    for record in records:
        session.apply(record)
    return session


def why_it_waits(session: AssignmentSession) -> list[str]:
    """Read the reasons given for waiting."""
    return [e.event.reason for e in session.state.announced if isinstance(e.event, TicketQueued)]


def test_a_ticket_in_a_language_nobody_serves_says_so() -> None:
    """With nobody on the roster, not even English helps out."""
    assert why_it_waits(after(a_ticket("T1"))) == ["no_skill"]


def test_a_ticket_waits_for_somebody_to_come() -> None:
    """Who serves it is on the roster, but not there."""
    assert why_it_waits(after(a_specialist("a", presence="away"), a_ticket("T1"))) == ["no_shift"]


def test_a_ticket_waits_for_room() -> None:
    """Who serves it is there, but full; a ticket that finds somebody gives no reason."""
    session = after(a_specialist("a"), a_ticket("T1"), a_ticket("T2"))
    assert why_it_waits(session) == ["no_capacity"]


def test_a_ticket_handed_back_says_why_it_waits() -> None:
    """After the last who could take it has left, nobody serves it."""
    session = after(a_specialist("a"), a_ticket("T1"), removed("a"))
    assert why_it_waits(session) == ["no_skill"]
