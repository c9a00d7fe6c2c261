"""The commands of specialists and leads, one rule in each test."""

import pytest
from tests.unit.router.assignments import InMemoryRouter, ticket_id

from router.domain.commands import (
    Confirm,
    Conflict,
    HandBack,
    Move,
    NotTheirs,
    Pin,
    PresenceReport,
    Reclassify,
    Respond,
    Unknown,
)
from router.domain.offers.rules import OfferRules
from shared.events import (
    AssignmentHandedBack,
    AssignmentReleased,
    OfferWithdrawn,
    SeverityConfirmed,
    SeverityReclassified,
    TicketAssigned,
)
from shared.testing.builders import a_specialist, a_ticket, minutes

T1 = ticket_id("T1")
DIRECTLY = OfferRules(rings={})


def a_router_with(*names: str, rules: OfferRules = DIRECTLY) -> InMemoryRouter:
    """Build a router with available specialists, of whom the first has ticket T1."""
    router = InMemoryRouter(rules=rules)
    first, *others = (a_specialist(name) for name in names)
    router.apply(first, a_ticket("T1"), *others)
    return router


def test_a_response_to_an_email_frees_the_specialist() -> None:
    """The room is free again, and a waiting ticket gets it."""
    router = a_router_with("a")
    router.apply(a_ticket("T2"))
    [outcome] = router.apply(Respond(T1, "a"))
    assert (outcome.outcome, outcome.specialist_id) == ("settled", None)
    assert router.events_about_specialists() == [
        *("ticket.assigned a", "assignment.responded a"),
        *("assignment.released a", "ticket.assigned a"),
    ]


def test_a_response_in_a_chat_keeps_the_specialist() -> None:
    """A chat is held until it is closed."""
    router = InMemoryRouter(rules=DIRECTLY)
    router.apply(a_specialist("a"), a_ticket("T1", channel="chat"), Respond(T1, "a"))
    assert router.events_about_specialists(AssignmentReleased) == []


def test_only_the_assigned_specialist_can_respond() -> None:
    """A response by another specialist is refused."""
    router = a_router_with("a", "b")
    with pytest.raises(NotTheirs, match="b does not have this ticket"):
        router.apply(Respond(T1, "b"))


def test_a_reclassified_ticket_changes_at_once() -> None:
    """Its due time changes only when sla-monitor publishes another."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", severity="business_critical"))
    create_date = router.tickets[T1].terms.create_date
    router.apply(Reclassify(T1, "a", "standard"))
    assert router.tickets[T1].severity == "standard"
    assert router.tickets[T1].due_at == create_date + minutes(30)
    assert router.events_about_specialists(SeverityReclassified) == ["severity.reclassified a"]
    with pytest.raises(Conflict, match="it is standard already"):
        router.apply(Reclassify(T1, "a", "standard"))


def test_a_severity_is_confirmed_once() -> None:
    """A second confirmation is refused; after a correction, another one is possible."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", severity="business_critical"))
    router.apply(Confirm(T1, "a"))
    with pytest.raises(Conflict, match="business critical is confirmed"):
        router.apply(Confirm(T1, "a"))
    assert router.events_about_specialists(SeverityConfirmed) == ["severity.confirmed a"]


def test_a_ticket_handed_back_goes_to_another_specialist() -> None:
    """Its former specialist is excluded; the event names who decided."""
    router = a_router_with("a", "b")
    router.apply(HandBack(T1, "a", "lea", "a is overloaded"))
    assert router.tickets[T1].specialist_id == "b"
    [event] = [e.event for e in router.announced if isinstance(e.event, AssignmentHandedBack)]
    assert (event.by, event.reason, event.cause) == ("lea", "a is overloaded", "by_hand")


def test_a_lead_moves_a_ticket() -> None:
    """It leaves one specialist for the other; both loads change."""
    router = a_router_with("a", "b")
    [outcome] = router.apply(Move(T1, "b", "lea", "knows them"))
    assert (outcome.outcome, outcome.specialist_id) == ("assigned", "b")
    assert [router.specialists[name].load["email"] for name in "ab"] == [0, 1]
    assert router.events_about_specialists(TicketAssigned)[-1] == "ticket.assigned b"


def test_a_lead_moves_an_offered_ticket() -> None:
    """The offer is withdrawn."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", channel="chat"), a_specialist("b"))
    router.apply(Move(T1, "b", "lea", "knows them"))
    assert router.events_about_specialists(OfferWithdrawn) == ["offer.withdrawn a"]
    assert router.tickets[T1].specialist_id == "b"


def test_a_lead_cannot_move_a_ticket_beyond_a_capacity() -> None:
    """A lead is refused, too."""
    router = a_router_with("a", "b")
    router.apply(a_ticket("T2"))
    with pytest.raises(Conflict, match="b has no room for email"):
        router.apply(Move(T1, "b", "lea", "knows them"))
    assert router.tickets[T1].specialist_id == "a"


def test_a_lead_cannot_move_a_ticket_to_an_absent_specialist() -> None:
    """The ticket would stay with a specialist who is offline."""
    router = a_router_with("a", "b")
    router.apply(PresenceReport("b", "offline"))
    with pytest.raises(Conflict, match="b is offline"):
        router.apply(Move(T1, "b", "lea", "knows them"))
    with pytest.raises(Unknown, match="no specialist c"):
        router.apply(Move(T1, "c", "lea", "knows them"))


def test_a_pinned_ticket_waits_for_one_specialist() -> None:
    """It waits although another has room; once unpinned, it is assigned."""
    router = InMemoryRouter(rules=DIRECTLY)
    router.apply(
        a_specialist("a", presence="away"), a_ticket("T1"), Pin(T1, "a", "lea", "knows them")
    )
    router.apply(a_specialist("b"))
    assert router.tickets[T1].waits
    router.apply(Pin(T1, None, "lea", "cannot wait"))
    assert router.tickets[T1].specialist_id == "b"


def test_a_pinned_ticket_goes_to_its_specialist() -> None:
    """Its offer to another specialist is withdrawn."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", channel="chat"), a_specialist("b"))
    router.apply(Pin(T1, "b", "lea", "knows them"))
    assert router.offer_of("T1").specialist_id == "b"


def test_a_ticket_is_pinned_only_to_a_specialist_who_may_have_it() -> None:
    """A pin is refused if the specialist does not qualify or another has the ticket."""
    router = a_router_with("a", "b")
    router.apply(a_specialist("j", languages=("ja",)))
    with pytest.raises(Conflict, match="j does not serve"):
        router.apply(Pin(T1, "j", "lea", "?"))
    with pytest.raises(Conflict, match="a has it"):
        router.apply(Pin(T1, "b", "lea", "?"))
