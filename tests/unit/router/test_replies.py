"""A customer's reply brings a ticket back: to whom, from which state, and when."""

from uuid import UUID

import pytest
from tests.unit.router.assignments import InMemoryRouter

from router.domain.commands import Decline, Respond
from shared.events import (
    AssignmentExplained,
    ClockResumed,
    ClockStarted,
    CustomerReplied,
    Envelope,
    Event,
    TicketAbsorbed,
    TicketAccepted,
    TicketAssigned,
    TicketClosed,
    TicketMerged,
    TicketQueued,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    TicketWaiting,
    ticket_id_of,
)
from shared.testing.builders import NOON, a_clock, a_fact, a_specialist, a_ticket, minutes
from shared.tickets.decisions import summary

T1 = ticket_id_of("test", "T1")
REPLY = UUID(int=7)
ANSWERED = a_fact(TicketResponded, "T1", after_min=10)
REPLIED = a_fact(CustomerReplied, "T1", after_min=20)
WAITS = Envelope(
    UUID(int=8), "test", NOON + minutes(12), TicketWaiting(ticket_id=T1, waiting_for="customer")
)
NEXT = a_clock(ClockStarted, "T1", due_min=80, kind="next_response", cycle=REPLY, after_min=20)


def promised_an_answer(name: str = "T1") -> Envelope[Event]:
    """Accept a ticket whose policy promises an answer to each reply, too."""
    accepted = a_ticket(name)
    assert isinstance(accepted.event, TicketAccepted)
    first = accepted.event.promises[0]
    later = first.model_copy(update={"kind": "next_response", "due_at": None})
    event = accepted.event.model_copy(update={"promises": (first, later)})
    return Envelope(accepted.id, accepted.source, accepted.time, event)


def a_router(*records: Envelope[Event], **room: int) -> InMemoryRouter:
    """Let Ana have answered the first ticket; Ben serves the same."""
    router = InMemoryRouter()
    router.play(a_specialist("ana", capacity={"email": room.get("ana", 2)}), *records)
    router.play(a_specialist("ben", capacity={"email": 9}))
    return router


def given(router: InMemoryRouter) -> list[TicketAssigned]:
    """Read who was given tickets, in order."""
    return [e.event for e in router.announced if isinstance(e.event, TicketAssigned)]


@pytest.mark.parametrize(
    "facts",
    [
        [ANSWERED],
        [ANSWERED, WAITS],
        [a_fact(TicketResolved, "T1", after_min=10)],
        [ANSWERED, a_fact(TicketResolved, "T1", after_min=12)],
        [ANSWERED, a_fact(TicketClosed, "T1", after_min=12)],
    ],
)
def test_a_reply_brings_the_ticket_back_to_who_answered_it(facts: list[Envelope[Event]]) -> None:
    """Answered, waiting, resolved or closed; others have more room, and have it not."""
    router = a_router(a_ticket("T1"), *facts)
    router.play(REPLIED)
    assert [one.specialist_id for one in given(router)] == ["ana", "ana"]
    assert (given(router)[-1].after_reply, given(router)[0].after_reply) == (True, False)
    record = [e.event for e in router.announced if isinstance(e.event, AssignmentExplained)][-1]
    assert summary(record) == "the customer replied to them"


def test_who_has_no_room_is_passed_over() -> None:
    """It goes to whom the rules choose then."""
    router = a_router(a_ticket("T1"), ANSWERED, a_ticket("T2", after_min=11), ana=1)
    router.play(REPLIED)
    assert given(router)[-1].specialist_id == "ben"


def test_it_waits_in_the_queue_where_nobody_has_room() -> None:
    """With the moment of the reply as its age, and is given out like any other."""
    router = InMemoryRouter()
    one = {"email": 1}
    router.play(a_specialist("ana", capacity=one), a_ticket("T1"), ANSWERED)  # type: ignore[arg-type]
    router.play(a_ticket("T2", after_min=11), REPLIED)
    assert isinstance(router.announced[-2].event, TicketQueued)
    assert (router.tickets[T1].waits, router.tickets[T1].waiting_since) == (True, REPLIED.time)
    router.play(a_fact(TicketResponded, "T2", after_min=30))
    assert given(router)[-1].ticket_id == T1


def test_who_gave_it_back_is_not_asked_again() -> None:
    """As with any ticket that is declined."""
    router = a_router(a_ticket("T1"), ANSWERED)
    router.play(REPLIED, Decline(T1, "ana", "not my field"))
    assert given(router)[-1].specialist_id == "ben"


def test_a_reply_within_a_chat_stays_with_who_has_it() -> None:
    """Nothing was over; it is due by the reply's clock."""
    router = InMemoryRouter()
    router.play(a_specialist("ana"), a_ticket("T1", channel="chat"))
    router.play(router.accept("T1"))
    router.play(ANSWERED, REPLIED, NEXT)
    ticket = router.tickets[T1]
    assert (ticket.specialist_id, ticket.due_at) == ("ana", NOON + minutes(80))


@pytest.mark.parametrize("order", [(REPLIED, NEXT), (NEXT, REPLIED)])
def test_it_is_given_out_with_the_due_time_of_its_clock(order: tuple[Envelope[Event], ...]) -> None:
    """The clock's record comes after the reply or before it: who gets it is told when it is due."""
    router = a_router(promised_an_answer(), ANSWERED)
    router.play(*order)
    [_, again] = given(router)
    assert (again.due_at, again.promise) == (NOON + minutes(80), "next_response")


def test_it_is_given_out_without_when_the_clock_does_not_come() -> None:
    """sla-monitor may be away: the reply waits for it for seconds only."""
    router = a_router(promised_an_answer(), ANSWERED)
    router.play(REPLIED)
    assert len(given(router)) == 1
    router.later(seconds=5)
    router.wake()
    assert given(router)[-1].due_at is None
    router.play(NEXT)
    assert (len(given(router)), router.tickets[T1].due_at) == (2, NOON + minutes(80))


def test_a_reopened_ticket_is_given_out_with_its_new_due_time() -> None:
    """What it was due at before it was closed is past."""
    router = a_router(a_ticket("T1"), a_fact(TicketClosed, "T1", after_min=10))
    router.play(a_fact(TicketReopened, "T1", after_min=120))
    router.play(a_clock(ClockResumed, "T1", due_min=170, after_min=120))
    assert given(router)[-1].due_at == NOON + minutes(170)


def test_an_answer_to_the_reply_frees_who_gave_it() -> None:
    """And the ticket is theirs to come back to, once more."""
    router = a_router(a_ticket("T1"), ANSWERED)
    router.play(REPLIED)
    router.now += minutes(25)
    router.play(Respond(T1, "ana"))
    ticket = router.tickets[T1]
    assert (ticket.specialist_id, ticket.status.state, ticket.answered_by) == (
        None,
        "answered",
        "ana",
    )


def test_a_merged_ticket_comes_back_no_more_and_its_target_does() -> None:
    """A duplicate whose customer still waits for an answer brings the target back."""
    merged = TicketMerged(ticket_id=T1, into=ticket_id_of("test", "T2"))
    absorbed = TicketAbsorbed(
        ticket_id=ticket_id_of("test", "T2"),
        absorbed=T1,
        create_date=NOON,
        owed_since=NOON + minutes(20),
    )
    router = a_router(a_ticket("T2"), a_fact(TicketResponded, "T2", after_min=10), a_ticket("T1"))
    at = NOON + minutes(30)
    router.play(
        Envelope(UUID(int=1), "test", at, merged), a_fact(CustomerReplied, "T1", after_min=40)
    )
    assert not router.tickets[T1].needs_specialist
    router.play(Envelope(UUID(int=2), "test", at, absorbed))
    assert (given(router)[-1].ticket_id, given(router)[-1].specialist_id) == (
        ticket_id_of("test", "T2"),
        "ana",
    )


def test_a_late_reply_to_a_closed_ticket_changes_nothing() -> None:
    """Later than the policy's time to reopen, the customer is asked for a new request."""
    router = a_router(a_ticket("T1"), ANSWERED, a_fact(TicketClosed, "T1", after_min=12))
    router.play(a_fact(CustomerReplied, "T1", after_min=12 + 31 * 24 * 60))
    assert len(given(router)) == 1


def test_no_order_of_arrival_changes_whether_it_came_back() -> None:
    """The set of the facts decides."""
    answered_again = a_fact(TicketResponded, "T1", after_min=30)
    for facts in ([REPLIED, ANSWERED], [answered_again, REPLIED, ANSWERED]):
        router = a_router(a_ticket("T1"), *facts)
        assert router.tickets[T1].needs_specialist == (answered_again not in facts)
