"""Only a part of a long queue is loaded; a decision that needs more is detected."""

import pytest

from router.domain.assignment.session import AssignmentSession
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from shared.events import Envelope, Event, TicketAssigned
from shared.testing.builders import NOON, a_specialist, a_ticket


def after(*records: Envelope[Event]) -> AssignmentSession:
    """Apply records to an empty session."""
    session = AssignmentSession(Roster([]), [], NOON, OfferRules(rings={}))
    for record in records:
        session.apply(record)
    return session


@pytest.mark.parametrize(("room", "enough"), [(2, True), (3, True), (4, False)])
def test_a_decision_reports_that_it_needs_more_of_the_queue(room: int, enough: bool) -> None:
    """Its transaction then loads more and decides again."""
    before = after(*(a_ticket(f"T{n}", after_min=n) for n in range(3)))
    session = with_part(before, 3)
    session.apply(a_specialist("a", capacity={"email": room}))
    assert (not session.dispatcher.insufficiently_loaded) is enough


def test_a_new_ticket_does_not_overtake_tickets_that_are_not_loaded() -> None:
    """A new ticket that is due after all loaded ones may be due after others, too."""
    before = after(a_ticket("T1"))
    session = with_part(before, 1)
    session.apply(a_ticket("T9", after_min=9))
    session.apply(a_specialist("a", capacity={"email": 2}))
    given = [e.event for e in session.state.announced if isinstance(e.event, TicketAssigned)]
    assert [event.ticket_id for event in given] == [*before.state.tickets]
    assert session.dispatcher.insufficiently_loaded


def with_part(before: AssignmentSession, limit: int) -> AssignmentSession:
    """Return a session with only the earliest waiting tickets."""
    before.state.roster.commit()
    session = AssignmentSession(before.state.roster, [], NOON, OfferRules(rings={}))
    session.dispatcher.add_waiting(
        before.state.tickets.values(), dict.fromkeys(before.state.roster.pools, limit)
    )
    return session
