"""The effect of router's events on clocks: offers, responses and reclassifications."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid5

import pytest

from shared.events import (
    NAMESPACE,
    AssignmentHandedBack,
    AssignmentResponded,
    Envelope,
    Event,
    NotificationSent,
    OfferAccepted,
    OfferExpired,
    OfferWithdrawn,
    Part,
    SeverityReclassified,
    TicketAccepted,
    TicketAssigned,
    TicketOffered,
    ticket_id_of,
)
from shared.testing.builders import NOON, a_ticket
from sla_monitor.domain import Clock, Fact, derive, update_clock
from sla_monitor.domain.breakdown import breakdown

TICKET = ticket_id_of("test", "T1")
OFFER = UUID("22222222-2222-5222-8222-222222222222")
WORK: dict[str, Any] = {
    "account_id": "northwind",
    "channel": "chat",
    "severity": "standard",
    "language": "en",
    "english_instead": False,
    "due_at": datetime(2026, 3, 2, 13, tzinfo=UTC),
    "waited_ms": 0,
}


def fact(kind: type[Event], after_s: float, specialist_id: str = "ann", **more: object) -> Fact:
    """Make an event that occurred so many minutes after noon."""
    event = kind.model_validate({"ticket_id": TICKET, "specialist_id": specialist_id, **more})
    at = NOON + timedelta(seconds=after_s)
    return Envelope(uuid5(NAMESPACE, f"{event!r}{at}"), "router", at, event)


def offered(after_s: float, specialist_id: str = "ann") -> Fact:
    """Make an offer."""
    return fact(TicketOffered, after_s, specialist_id, offer_id=OFFER, lease_ends_at=NOON, **WORK)


def assigned(after_s: float, offer_id: UUID | None) -> Fact:
    """Make an assignment."""
    return fact(TicketAssigned, after_s, offer_id=offer_id, **WORK)


def clock_after(*facts: Fact) -> Clock:
    """Return the clock of an email ticket from noon, after these facts."""
    known: list[Fact] = []
    clock: Clock | None = None
    for one in (accepted(), *facts):
        known.append(one)
        (derived,) = derive(known)
        clock = update_clock(clock, derived, one, now=NOON).clock
    assert clock is not None
    return clock


def accepted() -> Fact:
    """Accept a request that is due in an hour."""
    request = a_ticket("T1")
    assert isinstance(request.event, TicketAccepted)
    return Envelope(request.id, "intake", request.time, request.event)


def parts_s(*facts: Fact, until_s: float = 100) -> dict[Part, float]:
    """Return the breakdown in seconds."""
    found = breakdown(clock_after(*facts), NOON + timedelta(seconds=until_s))
    return {part: ms / 1000 for part, ms in found.parts_ms.items()}


def test_a_response_in_the_inbox_meets_the_promise() -> None:
    """Like a response that upstream reports."""
    clock = clock_after(fact(AssignmentResponded, 60))
    assert clock.state == "met"


def test_a_specialists_reclassification_changes_the_target() -> None:
    """From the same create date."""
    clock = clock_after(fact(SeverityReclassified, 60, severity="business_critical"))
    assert clock.due_at == NOON + timedelta(minutes=30)


def test_the_time_of_an_offer_is_a_part() -> None:
    """After the acceptance no time is spent on notifying by mail."""
    accepted_at = [fact(OfferAccepted, 30, offer_id=OFFER), assigned(30, OFFER)]
    assert parts_s(offered(10), *accepted_at) == {"routing": 10, "offered": 20, "assigned": 70}
    sent = fact(
        NotificationSent,
        40,
        delivery_id=OFFER,
        alert="assignment",
        recipient="ann",
        medium="mail",
        attempts=1,
    )
    assert parts_s(assigned(10, None), sent) == {"routing": 10, "notifier": 30, "assigned": 60}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_release_comes_before_an_offer_of_the_same_instant(order: tuple[int, ...]) -> None:
    """At one instant the release comes first, whatever the event ids."""
    facts = (offered(0), fact(OfferExpired, 20, offer_id=OFFER), offered(20, "ben"))
    assert parts_s(*(facts[place] for place in order)) == {"offered": 100}


def test_a_ticket_that_was_handed_back_is_in_routing_again() -> None:
    """An offer that was withdrawn because the work ended leaves the ticket unassigned."""
    back = fact(AssignmentHandedBack, 50, cause="offline")
    assert parts_s(assigned(0, OFFER), back) == {"assigned": 50, "routing": 50}
    ended = fact(OfferWithdrawn, 50, offer_id=OFFER, cause="resolved")
    assert parts_s(offered(0), ended) == {"offered": 50, "unassigned": 50}
