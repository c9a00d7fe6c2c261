"""The order of work: guarantees first, late tickets after those in time, and a turn for each."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain.assignment.session import AssignmentSession
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from shared.events import Envelope, Event, TicketAssigned, TicketResponded, ticket_id_of
from shared.testing.builders import NOON, a_fact, a_specialist, a_ticket, minutes

DIRECTLY = OfferRules(rings={})


def after(*records: Envelope[Event]) -> AssignmentSession:
    """Apply records to an empty session at noon."""
    session = AssignmentSession(Roster([]), [], NOON, DIRECTLY)
    for record in records:
        session.apply(record)
    return session


def later(session: AssignmentSession, after_min: float) -> AssignmentSession:
    """Let time pass without any event."""
    session.state.roster.commit()
    then = AssignmentSession(
        session.state.roster, session.state.tickets.values(), NOON + minutes(after_min), DIRECTLY
    )
    then.dispatcher.add_waiting(
        session.state.tickets.values(), dict.fromkeys(session.state.roster.pools, 1_000)
    )
    then.wake({})
    return then


def test_a_guarantee_comes_before_an_objective() -> None:
    """The time of an objective counts double: it may be due first and still come second."""
    first = a_ticket("T1", channel="chat")
    objective = a_ticket("T2", role="seat", after_min=-23 * 60)
    guarantee = a_ticket("T3", after_min=5)
    session = after(first, objective, guarantee)
    session.apply(a_specialist("a", capacity={"email": 1}))
    (assigned,) = (e.event for e in session.state.announced if isinstance(e.event, TicketAssigned))
    assert assigned.ticket_id == guarantee.event.ticket_id  # type: ignore[attr-defined]


ARRIVALS = st.lists(
    st.tuples(st.integers(0, 3000), st.sampled_from(["super_admin", "seat"])),
    min_size=1,
    max_size=40,
)


@given(ARRIVALS, st.integers(1, 90))
def test_every_ticket_gets_its_turn(arrivals: list[tuple[int, Any]], work_min: int) -> None:
    """A ticket that is created after another's place in the order comes after it."""
    coming = [
        a_ticket(f"T{n}", role=role, account_id=f"x{n}", after_min=at)
        for n, (at, role) in enumerate(sorted(arrivals))
    ]
    session = after(a_specialist("a", capacity={"email": 1}), a_ticket("T", account_id="x"))
    order: list[Envelope[Event]] = []
    names = {e.event.ticket_id: e for e in coming}  # type: ignore[attr-defined]
    now_min = 0
    holding = "T"
    while len(order) < len(coming):
        now_min += work_min
        session = later(session, now_min)
        for ticket in [each for each in coming if each.time <= NOON + minutes(now_min)]:
            if ticket.event.ticket_id not in session.state.tickets:  # type: ignore[attr-defined]
                session.apply(ticket)
        if holding:
            session.apply(a_fact(TicketResponded, holding, after_min=now_min))
        got = [e.event for e in session.state.announced if isinstance(e.event, TicketAssigned)]
        order += [names[event.ticket_id] for event in got]
        holding = order[-1].event.external_id if got else ""  # type: ignore[attr-defined]
        now_min = now_min if got else max(now_min, 3000)
    place = {ticket.id: number for number, ticket in enumerate(order)}
    index = {t.id: session.state.tickets[t.event.ticket_id].key[0] for t in coming}  # type: ignore[attr-defined]
    for one in coming:
        late = [other for other in coming if other.time > index[one.id]]
        assert all(place[one.id] < place[other.id] for other in late)


@pytest.mark.parametrize(
    ("rival_min", "at_min", "first"), [(50, 60, "T1"), (50, 61, "T2"), (70, 71, "T1")]
)
def test_a_late_ticket_comes_after_those_in_time(rival_min: int, at_min: int, first: str) -> None:
    """For an hour: tickets that are due later than that come after it."""
    session = later(after(a_ticket("T1"), a_ticket("T2", after_min=rival_min)), at_min)
    session.apply(a_specialist("a", capacity={"email": 1}))
    (event,) = (e.event for e in session.state.announced if isinstance(e.event, TicketAssigned))
    assert event.ticket_id == ticket_id_of("test", first)
