"""When a ticket is due: as accepted, until sla-monitor publishes its clocks."""

from datetime import datetime
from itertools import permutations
from uuid import UUID

import pytest
from tests.unit.router.assignments import InMemoryRouter

from router.domain.assignment.session import AssignmentSession
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from router.domain.ticket import Ticket
from router.handlers import decode
from shared.events import (
    ClockCancelled,
    ClockFact,
    ClockMet,
    ClockPaused,
    ClockRepriced,
    ClockResumed,
    ClockStarted,
    ClockWarned,
    Envelope,
    Event,
    TicketAssigned,
    TicketResponded,
    ticket_id_of,
)
from shared.events.codec import Record, Skipped, headers_of, value_of
from shared.testing.builders import (
    NOON,
    a_clock,
    a_fact,
    a_specialist,
    a_ticket,
    minutes,
    reclassified,
)

T1 = ticket_id_of("test", "T1")
REPLY = UUID(int=7)


def due_after(*records: Envelope[Event]) -> datetime | None:
    """Return when a ticket is due after some events."""
    return the_ticket(*records).due_at


def the_ticket(*records: Envelope[Event]) -> Ticket:
    """Apply events to a ticket, in their order."""
    ticket = Ticket(T1)
    for record in records:
        ticket.apply(record)
    return ticket


def test_without_a_clock_event_the_accepted_due_time_counts() -> None:
    """Router computes no due time itself, whatever else it knows."""
    accepted, critical = a_ticket("T1"), reclassified("T1", "business_critical", after_min=1)
    assert due_after(accepted, critical) == NOON + minutes(60)


@pytest.mark.parametrize(
    ("records", "due_min"),
    [
        ([a_clock(ClockStarted, "T1", due_min=30)], 30),
        ([a_clock(ClockRepriced, "T1", due_min=30, target_s=1800)], 30),
        ([a_clock(ClockPaused, "T1")], None),
        ([a_clock(ClockStarted, "T1"), a_clock(ClockPaused, "T1")], None),
        ([a_clock(ClockPaused, "T1"), a_clock(ClockResumed, "T1", due_min=300)], 300),
        ([a_clock(ClockCancelled, "T1"), a_clock(ClockResumed, "T1", due_min=90)], 90),
        ([a_clock(ClockCancelled, "T1", reason="withdrawn")], None),
        ([a_clock(ClockPaused, "T1"), a_clock(ClockRepriced, "T1", target_s=1800)], None),
    ],
)
def test_the_clocks_due_time_counts_whenever_the_request_comes(
    records: list[Envelope[Event]], due_min: float | None
) -> None:
    """The accepted event is on another topic: it may be read before, between or after them."""
    due_at = None if due_min is None else NOON + minutes(due_min)
    for place in range(len(records) + 1):
        assert due_after(*records[:place], a_ticket("T1"), *records[place:]) == due_at


def test_of_two_events_of_a_clock_the_later_read_one_counts() -> None:
    """They are in order; a late fact may date an event back."""
    resumed = a_clock(ClockResumed, "T1", due_min=90, after_min=30)
    late = a_clock(ClockResumed, "T1", due_min=120, after_min=5)
    assert due_after(a_ticket("T1"), resumed, late) == NOON + minutes(120)


def test_the_first_of_several_open_clocks_is_due() -> None:
    """Paused and cancelled clocks do not count; events of different clocks arrive in any order."""
    accepted = a_ticket("T1")
    records = [
        a_clock(ClockResumed, "T1", due_min=40),
        a_clock(ClockStarted, "T1", due_min=20, kind="resolution"),
        a_clock(ClockStarted, "T1", due_min=10, kind="next_response", cycle=REPLY, after_min=5),
    ]
    for order in permutations([accepted, *records]):
        assert due_after(*order) == NOON + minutes(10)
    paused = a_clock(ClockPaused, "T1", kind="next_response", cycle=REPLY)
    assert due_after(accepted, *records, paused) == NOON + minutes(20)
    cancelled = a_clock(ClockCancelled, "T1", kind="resolution")
    assert due_after(accepted, *records, paused, cancelled) == NOON + minutes(40)


def test_a_known_answer_meets_the_clock() -> None:
    """A specialist's response counts even while sla-monitor is down."""
    answered = a_fact(TicketResponded, "T1", after_min=20)
    again = a_clock(ClockStarted, "T1", due_min=90, kind="next_response", cycle=REPLY, after_min=30)
    assert due_after(a_ticket("T1"), answered) is None
    assert due_after(a_ticket("T1"), answered, again) == NOON + minutes(90)
    twice = a_fact(TicketResponded, "T1", after_min=40)
    assert due_after(a_ticket("T1"), answered, again, twice) is None


def test_a_paused_ticket_comes_last() -> None:
    """Its promise is named, and it has no due time."""
    router = InMemoryRouter()
    router.apply(
        a_ticket("T1"),
        a_ticket("T2", after_min=20),
        a_ticket("T3", after_min=40, role="seat"),
        a_clock(ClockPaused, "T1"),
        a_specialist("a", capacity={"email": 3}),
    )
    assigned = [e.event for e in router.announced if isinstance(e.event, TicketAssigned)]
    names = {ticket_id_of("test", name): name for name in ("T1", "T2", "T3")}
    assert [names[event.ticket_id] for event in assigned] == ["T2", "T3", "T1"]
    assert (assigned[-1].due_at, assigned[-1].promise) == (None, "first_response")


def test_a_ticket_that_is_due_again_gets_its_place_in_the_order() -> None:
    """A resumed clock moves the ticket forward."""
    router = InMemoryRouter()
    router.apply(
        a_ticket("T1"),
        a_ticket("T2", after_min=20),
        a_clock(ClockPaused, "T1"),
        a_clock(ClockResumed, "T1", due_min=70),
        a_specialist("a"),
    )
    [assigned] = [e.event for e in router.announced if isinstance(e.event, TicketAssigned)]
    assert (assigned.ticket_id, assigned.due_at) == (T1, NOON + minutes(70))


def test_a_clock_event_without_a_change_has_no_effect() -> None:
    """It leads to no decision, no event and no save."""
    session = AssignmentSession(Roster([]), [the_ticket(a_ticket("T1"))], NOON, OfferRules())
    session.apply(a_clock(ClockStarted, "T1", due_min=60))
    assert (session.state.announced, session.state.touched) == ([], set())


@pytest.mark.parametrize(
    ("record", "more"),
    [
        (ClockStarted, {"due_min": 60, "as_accepted": True}),
        (ClockMet, {"due_min": 60, "met_at": NOON, "in_time": True}),
        (ClockWarned, {"due_min": 60, "percent": 50}),
    ],
)
def test_clock_events_that_move_no_due_time_are_skipped(
    record: type[ClockFact], more: dict[str, object]
) -> None:
    """The decoder skips them, so that no transaction begins."""
    envelope = a_clock(record, "T1", **more)  # type: ignore[arg-type] # due_min among them
    raw = Record(record.topic, 0, 0, b"", value_of(envelope.event), headers_of(envelope))
    assert isinstance(decode(raw), Skipped)
