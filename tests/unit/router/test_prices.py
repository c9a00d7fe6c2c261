"""When a ticket is due to router: as its own fact says, whatever severity it comes to."""

from datetime import datetime, timedelta

import pytest

from router.ticket import Ticket
from shared.events import ticket_id_of
from shared.promises import Promise
from shared.testing.builders import NOON, a_ticket, minutes, promised, reclassified


def due_at(otherwise: tuple[Promise, ...] | None) -> datetime | None:
    """Say when a standard ticket is due that is found to be critical."""
    ticket = Ticket(ticket_id_of("test", "T1"))
    ticket.learn(a_ticket("T1", otherwise=otherwise))
    ticket.learn(reclassified("T1", "business_critical", after_min=1))
    return ticket.due_at


def due_after(count: float | None, kind: str = "first_response") -> Promise:
    """Promise a critical ticket something."""
    (critical,) = promised(NOON, severity="business_critical")
    due_at = None if count is None else NOON + minutes(count)
    return critical.model_copy(update={"due_at": due_at, "kind": kind})


@pytest.mark.parametrize(
    ("otherwise", "due_after_min"),
    [
        ((due_after(7),), 7),
        ((due_after(60, "resolution"), due_after(None, "next_response"), due_after(20)), 20),
        (None, 30),
    ],
)
def test_a_reclassified_ticket_is_due_as_its_own_fact_says(
    otherwise: tuple[Promise, ...] | None, due_after_min: float
) -> None:
    """The earliest of what it is promised then; a fact of before is priced as built in."""
    assert due_at(otherwise) == NOON + minutes(due_after_min)


def test_what_is_promised_nothing_comes_after_what_is_promised() -> None:
    """But it comes: it has a place in the order of work."""
    assert due_at(()) == NOON + timedelta(days=7)
