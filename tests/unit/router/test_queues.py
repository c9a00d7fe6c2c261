"""Only part of a long queue is loaded; what that part cannot answer is noticed."""

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
def test_a_decision_that_would_need_more_of_the_queue_says_so(room: int, enough: bool) -> None:
    """Only part of a queue is loaded; who runs out of it must load more and decide anew."""
    before = after(*(a_ticket(f"T{n}", after_min=n) for n in range(3)))
    session = with_part(before, 3)
    session.apply(a_specialist("a", capacity={"email": room}))
    assert (not session.dispatcher.insufficiently_loaded) is enough


def test_a_newcomer_does_not_overtake_those_who_were_not_loaded() -> None:
    """A ticket due later than all that were loaded may be due later than others who wait."""
    before = after(a_ticket("T1"))
    session = with_part(before, 1)
    session.apply(a_ticket("T9", after_min=9))
    session.apply(a_specialist("a", capacity={"email": 2}))
    given = [e.event for e in session.state.announced if isinstance(e.event, TicketAssigned)]
    assert [event.ticket_id for event in given] == [*before.state.tickets]
    assert session.dispatcher.insufficiently_loaded


def with_part(before: AssignmentSession, limit: int) -> AssignmentSession:
    """Go on with the earliest of those who wait."""
    before.state.roster.commit()
    session = AssignmentSession(before.state.roster, [], NOON, OfferRules(rings={}))
    session.dispatcher.add_waiting(
        before.state.tickets.values(), dict.fromkeys(before.state.roster.pools, limit)
    )
    return session
