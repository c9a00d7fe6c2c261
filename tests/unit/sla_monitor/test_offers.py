"""What router tells of offers and of specialists' findings, as clocks see it."""

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


def fact(kind: type[Event], after_s: float, who: str = "ann", **more: object) -> Fact:
    """Tell what happened so long after noon."""
    event = kind.model_validate({"ticket_id": TICKET, "specialist_id": who, **more})
    at = NOON + timedelta(seconds=after_s)
    return Envelope(uuid5(NAMESPACE, f"{event!r}{at}"), "router", at, event)


def offered(after_s: float, who: str = "ann") -> Fact:
    """Let it ring."""
    return fact(TicketOffered, after_s, who, offer_id=OFFER, lease_ends_at=NOON, **WORK)


def assigned(after_s: float, offer_id: UUID | None) -> Fact:
    """Let somebody have it."""
    return fact(TicketAssigned, after_s, offer_id=offer_id, **WORK)


def clock_after(*facts: Fact) -> Clock:
    """Fold facts into the clock of a mail that came at noon."""
    known: list[Fact] = []
    clock: Clock | None = None
    for one in (accepted(), *facts):
        known.append(one)
        (truth,) = derive(known)
        clock = update_clock(clock, truth, one, now=NOON).clock
    assert clock is not None
    return clock


def accepted() -> Fact:
    """Take a request in, due in an hour."""
    request = a_ticket("T1")
    assert isinstance(request.event, TicketAccepted)
    return Envelope(request.id, "intake", request.time, request.event)


def parts_s(*facts: Fact, until_s: float = 100) -> dict[Part, float]:
    """Say in whose hands the time was."""
    found = breakdown(clock_after(*facts), NOON + timedelta(seconds=until_s))
    return {part: ms / 1000 for part, ms in found.parts_ms.items()}


def test_an_answer_at_our_desk_meets_the_promise() -> None:
    """As one that upstream tells."""
    clock = clock_after(fact(AssignmentResponded, 60))
    assert clock.state == "met"


def test_what_a_specialist_finds_is_priced_anew() -> None:
    """From the same create date."""
    clock = clock_after(fact(SeverityReclassified, 60, severity="business_critical"))
    assert clock.due_at == NOON + timedelta(minutes=30)


def test_the_time_it_rings_is_a_part_of_its_own() -> None:
    """Who accepted it knows: nobody waits for a mail."""
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
def test_it_is_taken_from_one_before_it_rings_at_another(order: tuple[int, ...]) -> None:
    """Though both happen at one instant, and whatever their ids."""
    facts = (offered(0), fact(OfferExpired, 20, offer_id=OFFER), offered(20, "ben"))
    assert parts_s(*(facts[place] for place in order)) == {"offered": 100}


def test_what_was_handed_back_is_on_its_way_again() -> None:
    """And what rings no more, because the work has ended, is with nobody."""
    back = fact(AssignmentHandedBack, 50, cause="offline")
    assert parts_s(assigned(0, OFFER), back) == {"assigned": 50, "routing": 50}
    ended = fact(OfferWithdrawn, 50, offer_id=OFFER, cause="resolved")
    assert parts_s(offered(0), ended) == {"offered": 50, "unassigned": 50}
