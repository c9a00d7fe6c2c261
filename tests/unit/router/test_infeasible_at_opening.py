"""Whether a waiting ticket can still be answered in time, at the very instants that decide."""

from datetime import datetime, timedelta

import pytest
from tests.unit.router.assignments import InMemoryRouter, ticket_id

from router.domain.coverage import is_infeasible, withdrawal_reason
from router.domain.ticket import Ticket
from shared.events import TicketClosed
from shared.testing.builders import NOON, a_fact, a_specialist, a_ticket

MICROSECOND = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
OPENING = NOON + 3 * HOUR


def waiting(due_at: datetime | None) -> Ticket:
    """Return a ticket that waits because the roster is empty, due then."""
    router = InMemoryRouter()
    router.apply(a_ticket("T1"))
    ticket = router.tickets[ticket_id("T1")]
    ticket.due_at = due_at
    return ticket


@pytest.mark.parametrize(
    ("due_at", "expected"),
    [
        (OPENING - MICROSECOND, True),
        (OPENING, True),
        (OPENING + MICROSECOND, False),
        (None, False),
    ],
)
def test_a_ticket_due_at_the_opening_or_before_is_infeasible(
    due_at: datetime | None, expected: bool
) -> None:
    """An answer takes time: what is due at the instant when the shift begins is missed."""
    assert is_infeasible(waiting(due_at), OPENING, NOON) is expected


@pytest.mark.parametrize(
    ("due_at", "expected"), [(NOON - HOUR, False), (NOON, False), (NOON + MICROSECOND, True)]
)
def test_what_is_past_due_is_no_longer_infeasible(due_at: datetime, expected: bool) -> None:
    """It is late already: a breach says so, and a warning comes too late."""
    assert is_infeasible(waiting(due_at), OPENING, NOON) is expected


def test_a_ticket_that_does_not_wait_is_not_infeasible() -> None:
    """It is assigned or over, though it is due before the opening."""
    router = InMemoryRouter()
    router.apply(a_specialist("ana"), a_ticket("T1"), a_ticket("T2", after_min=1))
    router.apply(a_fact(TicketClosed, "T2", after_min=2))
    for ticket in router.tickets.values():
        ticket.due_at = NOON + HOUR
        assert not is_infeasible(ticket, OPENING, NOON)


@pytest.mark.parametrize(
    ("due_at", "reason"),
    [
        (NOON, "past_due"),
        (NOON + MICROSECOND, "repriced"),
        (None, "repriced"),
    ],
)
def test_a_warning_is_withdrawn_for_the_reason_that_holds_now(
    due_at: datetime | None, reason: str
) -> None:
    """A waiting ticket is past due from its due time on; otherwise its due time has changed."""
    assert withdrawal_reason(waiting(due_at), NOON) == reason
