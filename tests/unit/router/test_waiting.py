"""The reason for waiting is announced once, when a ticket begins to wait."""

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
    """Return the announced reasons for waiting."""
    return [e.event.reason for e in session.state.announced if isinstance(e.event, TicketQueued)]


def test_a_ticket_without_a_listed_speaker_waits_for_a_skill() -> None:
    """The roster is empty, so that English is no help either."""
    assert why_it_waits(after(a_ticket("T1"))) == ["no_skill"]


def test_a_ticket_waits_for_a_specialist_to_come_online() -> None:
    """A qualified specialist is listed, but not available."""
    assert why_it_waits(after(a_specialist("a", presence="away"), a_ticket("T1"))) == ["no_shift"]


def test_a_ticket_waits_for_room() -> None:
    """The qualified specialist is full; a ticket that is assigned has no reason."""
    session = after(a_specialist("a"), a_ticket("T1"), a_ticket("T2"))
    assert why_it_waits(session) == ["no_capacity"]


def test_a_ticket_handed_back_has_a_reason_for_waiting() -> None:
    """After the last qualified specialist is removed, the reason is the missing skill."""
    session = after(a_specialist("a"), a_ticket("T1"), removed("a"))
    assert why_it_waits(session) == ["no_skill"]
