"""Histories in which engine and rules once differed, reduced to the necessary facts."""

from datetime import timedelta
from uuid import UUID

import pytest
from tests.simulation.driver import differences
from tests.simulation.histories import END, TICKET, History, Step, promise

from shared.events import (
    Envelope,
    Event,
    TicketAccepted,
    TicketClosed,
    TicketErased,
    TicketReclassified,
    TicketReopened,
    TicketResponded,
    TicketWaiting,
)
from shared.sla.promises import Promise
from shared.testing.builders import NOON, a_ticket, minutes

type Facts = tuple[Envelope[Event], ...]

HOUR = promise("first_response", "guarantee", 3600, "always", "UTC")
SHORTER = promise("first_response", "guarantee", 2700, "always", "UTC")


def accepted(number: int, *promises: Promise, critical: tuple[Promise, ...]) -> Envelope[Event]:
    """Accept the ticket at noon, with promises for either severity."""
    event = a_ticket("1").event
    assert isinstance(event, TicketAccepted)
    prices = {"promises": promises, "if_reclassified": {"business_critical": critical}}
    return fact(number, 0, event.model_copy(update={"ticket_id": TICKET, **prices}))


def fact(number: int, after_min: float, event: Event) -> Envelope[Event]:
    """Make a fact with a numbered id: facts of one instant are ordered by id."""
    return Envelope(UUID(int=number), "intake", NOON + minutes(after_min), event)


def responded(number: int, after_min: float) -> Envelope[Event]:
    """Make a response."""
    return fact(number, after_min, TicketResponded(ticket_id=TICKET))


def waiting(number: int, after_min: float) -> Envelope[Event]:
    """Make a wait for a vendor."""
    return fact(number, after_min, TicketWaiting(ticket_id=TICKET, waiting_for="vendor"))


def critical(number: int, after_min: float) -> Envelope[Event]:
    """Reclassify the ticket as business-critical."""
    event = TicketReclassified(ticket_id=TICKET, severity="business_critical")
    return fact(number, after_min, event)


def standard(number: int, after_min: float) -> Envelope[Event]:
    """Reclassify it as standard."""
    return fact(number, after_min, TicketReclassified(ticket_id=TICKET, severity="standard"))


CLOSED = TicketClosed(ticket_id=TICKET)
REOPENED = TicketReopened(ticket_id=TICKET)
ERASED = TicketErased(ticket_id=TICKET)

FOUND: dict[str, tuple[tuple[float, Facts], ...]] = {
    "a wait that begins after the answer does not lengthen one that it joins": (
        (50, (accepted(1, HOUR, critical=()), fact(2, 10, CLOSED), fact(3, 30, REOPENED))),
        (50, (responded(4, 30), waiting(5, 30))),
    ),
    "a clock that was cancelled is announced as paused": (
        (50, (accepted(1, HOUR, critical=()), fact(2, 10, CLOSED), waiting(3, 40))),
        (50, (fact(4, 30, REOPENED),)),
    ),
    "a promise that was met and then was never owed is announced as cancelled": (
        (50, (accepted(1, HOUR, critical=()), responded(2, 40))),
        (50, (critical(3, 20), fact(4, 10, ERASED))),
    ),
    "an acceptance that comes to light late breaks its promise under an id of its own": (
        (90, (accepted(2, HOUR, critical=()),)),
        (90, (accepted(1, HOUR, critical=()),)),
    ),
    "a warning that comes again with an old price has another id": (
        (0, (accepted(1, HOUR, critical=(SHORTER,)),)),
        (30, ()),
        (31, (critical(2, 31),)),
        (32, (standard(3, 32),)),
    ),
}


@pytest.mark.parametrize("rule", FOUND)
def test_engine_and_rules_agree(rule: str) -> None:
    """Engine and rules agree, whatever the order of arrival."""
    steps = [Step(NOON + timedelta(minutes=at), facts) for at, facts in FOUND[rule]]
    history = History((*steps, Step(END, ())), exception=None)
    assert differences(history) == []
