"""A customer's reply brings a ticket back: to which specialist, from which status, and when."""

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
from shared.web.formatting import span
from shared.wording import Reader
from shared.wording.decisions import summary

T1 = ticket_id_of("test", "T1")
REPLY = UUID(int=7)
ANSWERED = a_fact(TicketResponded, "T1", after_min=10)
REPLIED = a_fact(CustomerReplied, "T1", after_min=20)
WAITS = Envelope(
    UUID(int=8), "test", NOON + minutes(12), TicketWaiting(ticket_id=T1, waiting_for="customer")
)
NEXT = a_clock(ClockStarted, "T1", due_min=80, kind="next_response", cycle=REPLY, after_min=20)


def promised_an_answer(name: str = "T1") -> Envelope[Event]:
    """Build a request whose policy promises an answer to each reply, too."""
    accepted = a_ticket(name)
    assert isinstance(accepted.event, TicketAccepted)
    first = accepted.event.promises[0]
    later = first.model_copy(update={"kind": "next_response", "due_at": None})
    event = accepted.event.model_copy(update={"promises": (first, later)})
    return Envelope(accepted.id, accepted.source, accepted.time, event)


def a_router(*records: Envelope[Event], **room: int) -> InMemoryRouter:
    """Build a router in which ana has answered T1; ben serves the same channel."""
    router = InMemoryRouter()
    router.apply(a_specialist("ana", capacity={"email": room.get("ana", 2)}), *records)
    router.apply(a_specialist("ben", capacity={"email": 9}))
    return router


def given(router: InMemoryRouter) -> list[TicketAssigned]:
    """Return the assignments in order."""
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
def test_a_reply_returns_the_ticket_to_the_specialist_who_answered(
    facts: list[Envelope[Event]],
) -> None:
    """From answered, waiting, resolved or closed; even if another has more room."""
    router = a_router(a_ticket("T1"), *facts)
    router.apply(REPLIED)
    assert [one.specialist_id for one in given(router)] == ["ana", "ana"]
    assert (given(router)[-1].after_reply, given(router)[0].after_reply) == (True, False)
    record = [e.event for e in router.announced if isinstance(e.event, AssignmentExplained)][-1]
    assert summary(record, Reader(duration=span)) == "ana answered it before."


def test_a_replied_ticket_goes_elsewhere_if_its_specialist_has_no_room() -> None:
    """The matching rules then choose the specialist."""
    router = a_router(a_ticket("T1"), ANSWERED, a_ticket("T2", after_min=11), ana=1)
    router.apply(REPLIED)
    assert given(router)[-1].specialist_id == "ben"


def test_a_replied_ticket_waits_if_no_specialist_has_room() -> None:
    """Its age counts from the reply, and it is assigned like any other."""
    router = InMemoryRouter()
    one = {"email": 1}
    router.apply(a_specialist("ana", capacity=one), a_ticket("T1"), ANSWERED)  # type: ignore[arg-type]
    router.apply(a_ticket("T2", after_min=11), REPLIED)
    assert isinstance(router.announced[-2].event, TicketQueued)
    assert (router.tickets[T1].waits, router.tickets[T1].waiting_since) == (True, REPLIED.time)
    router.apply(a_fact(TicketResponded, "T2", after_min=30))
    assert given(router)[-1].ticket_id == T1


def test_a_replied_ticket_does_not_return_to_who_declined_it() -> None:
    """As with any declined ticket."""
    router = a_router(a_ticket("T1"), ANSWERED)
    router.apply(REPLIED, Decline(T1, "ana", "not my field"))
    assert given(router)[-1].specialist_id == "ben"


def test_a_reply_in_an_open_chat_keeps_the_specialist() -> None:
    """The work had not ended; the ticket is due by the reply's clock."""
    router = InMemoryRouter()
    router.apply(a_specialist("ana"), a_ticket("T1", channel="chat"))
    router.apply(router.accept("T1"))
    router.apply(ANSWERED, REPLIED, NEXT)
    ticket = router.tickets[T1]
    assert (ticket.specialist_id, ticket.due_at) == ("ana", NOON + minutes(80))


@pytest.mark.parametrize("order", [(REPLIED, NEXT), (NEXT, REPLIED)])
def test_a_replied_ticket_is_assigned_with_its_new_due_time(
    order: tuple[Envelope[Event], ...],
) -> None:
    """Whether the clock's event comes before or after the reply."""
    router = a_router(promised_an_answer(), ANSWERED)
    router.apply(*order)
    [_, again] = given(router)
    assert (again.due_at, again.promise) == (NOON + minutes(80), "next_response")


def test_a_replied_ticket_is_assigned_without_a_due_time_if_no_clock_comes() -> None:
    """sla-monitor may be down: the ticket is held for some seconds only."""
    router = a_router(promised_an_answer(), ANSWERED)
    router.apply(REPLIED)
    assert len(given(router)) == 1
    router.later(seconds=5)
    router.wake()
    assert given(router)[-1].due_at is None
    router.apply(NEXT)
    assert (len(given(router)), router.tickets[T1].due_at) == (2, NOON + minutes(80))


def test_a_reopened_ticket_is_assigned_with_its_new_due_time() -> None:
    """The due time from before it was closed has passed."""
    router = a_router(a_ticket("T1"), a_fact(TicketClosed, "T1", after_min=10))
    router.apply(a_fact(TicketReopened, "T1", after_min=120))
    router.apply(a_clock(ClockResumed, "T1", due_min=170, after_min=120))
    assert given(router)[-1].due_at == NOON + minutes(170)


def test_an_answer_to_the_reply_frees_the_specialist() -> None:
    """The next reply brings the ticket back to them again."""
    router = a_router(a_ticket("T1"), ANSWERED)
    router.apply(REPLIED)
    router.now += minutes(25)
    router.apply(Respond(T1, "ana"))
    ticket = router.tickets[T1]
    assert (ticket.specialist_id, ticket.status.state, ticket.answered_by) == (
        None,
        "answered",
        "ana",
    )


def test_a_reply_to_a_merged_ticket_reopens_its_target() -> None:
    """If the customer of a merged duplicate still waits for an answer, the target comes back."""
    merged = TicketMerged(ticket_id=T1, into=ticket_id_of("test", "T2"))
    absorbed = TicketAbsorbed(
        ticket_id=ticket_id_of("test", "T2"),
        absorbed=T1,
        create_date=NOON,
        owed_since=NOON + minutes(20),
    )
    router = a_router(a_ticket("T2"), a_fact(TicketResponded, "T2", after_min=10), a_ticket("T1"))
    at = NOON + minutes(30)
    router.apply(
        Envelope(UUID(int=1), "test", at, merged), a_fact(CustomerReplied, "T1", after_min=40)
    )
    assert not router.tickets[T1].needs_specialist
    router.apply(Envelope(UUID(int=2), "test", at, absorbed))
    assert (given(router)[-1].ticket_id, given(router)[-1].specialist_id) == (
        ticket_id_of("test", "T2"),
        "ana",
    )


def test_a_late_reply_to_a_closed_ticket_changes_nothing() -> None:
    """After the policy's time to reopen, the customer is asked for a new request."""
    router = a_router(a_ticket("T1"), ANSWERED, a_fact(TicketClosed, "T1", after_min=12))
    router.apply(a_fact(CustomerReplied, "T1", after_min=12 + 31 * 24 * 60))
    assert len(given(router)) == 1


def test_the_order_of_arrival_does_not_change_whether_a_ticket_comes_back() -> None:
    """It depends on the set of facts alone."""
    answered_again = a_fact(TicketResponded, "T1", after_min=30)
    for facts in ([REPLIED, ANSWERED], [answered_again, REPLIED, ANSWERED]):
        router = a_router(a_ticket("T1"), *facts)
        assert router.tickets[T1].needs_specialist == (answered_again not in facts)
