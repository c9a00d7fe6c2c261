"""Only part of a long queue is loaded; what that part cannot answer is noticed."""

import pytest

from router.domain.assignment.session import Desk
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from shared.events import Envelope, Event, TicketAssigned
from shared.testing.builders import NOON, a_specialist, a_ticket


def after(*records: Envelope[Event]) -> Desk:
    """Apply records to an empty desk."""
    desk = Desk(Roster([]), [], NOON, OfferRules(rings={}))
    for record in records:
        desk.apply(record)
    return desk


@pytest.mark.parametrize(("room", "enough"), [(2, True), (3, True), (4, False)])
def test_a_decision_that_would_need_more_of_the_queue_says_so(room: int, enough: bool) -> None:
    """Only part of a queue is loaded; who runs out of it must load more and decide anew."""
    before = after(*(a_ticket(f"T{n}", after_min=n) for n in range(3)))
    desk = with_part(before, 3)
    desk.apply(a_specialist("a", capacity={"email": room}))
    assert (not desk.fell_short) is enough


def test_a_newcomer_does_not_overtake_those_who_were_not_loaded() -> None:
    """A ticket due later than all that were loaded may be due later than others who wait."""
    before = after(a_ticket("T1"))
    desk = with_part(before, 1)
    desk.apply(a_ticket("T9", after_min=9))
    desk.apply(a_specialist("a", capacity={"email": 2}))
    given = [e.event for e in desk.announced if isinstance(e.event, TicketAssigned)]
    assert [event.ticket_id for event in given] == [*before.tickets]
    assert desk.fell_short


def with_part(before: Desk, limit: int) -> Desk:
    """Go on with the earliest of those who wait."""
    before.roster.settle()
    desk = Desk(before.roster, [], NOON, OfferRules(rings={}))
    desk.bring_waiting(before.tickets.values(), dict.fromkeys(before.roster.pools, limit))
    return desk
