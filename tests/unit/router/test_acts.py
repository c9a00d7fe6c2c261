"""What specialists and leads do with tickets, one rule a test."""

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
    """Let these be there, and the first have a ticket."""
    router = InMemoryRouter(rules=rules)
    first, *others = (a_specialist(name) for name in names)
    router.play(first, a_ticket("T1"), *others)
    return router


def test_an_answer_of_a_mail_ends_the_work() -> None:
    """Its room is free, and somebody else's ticket takes it."""
    router = a_router_with("a")
    router.play(a_ticket("T2"))
    [outcome] = router.play(Respond(T1, "a"))
    assert (outcome.outcome, outcome.specialist_id) == ("settled", None)
    assert router.told() == [
        *("ticket.assigned a", "assignment.responded a"),
        *("assignment.released a", "ticket.assigned a"),
    ]


def test_an_answer_in_a_chat_goes_on() -> None:
    """A chat is held until it is closed."""
    router = InMemoryRouter(rules=DIRECTLY)
    router.play(a_specialist("a"), a_ticket("T1", channel="chat"), Respond(T1, "a"))
    assert router.told(AssignmentReleased) == []


def test_only_who_has_a_ticket_answers_it() -> None:
    """Somebody was faster."""
    router = a_router_with("a", "b")
    with pytest.raises(NotTheirs, match="b does not have this ticket"):
        router.play(Respond(T1, "b"))


def test_a_ticket_reclassified_by_its_specialist_is_another_at_once() -> None:
    """Its due time stays until sla-monitor says another."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", severity="business_critical"))
    create_date = router.tickets[T1].terms.create_date
    router.play(Reclassify(T1, "a", "standard"))
    assert router.tickets[T1].severity == "standard"
    assert router.tickets[T1].due_at == create_date + minutes(30)
    assert router.told(SeverityReclassified) == ["severity.reclassified a"]
    with pytest.raises(Conflict, match="it is standard already"):
        router.play(Reclassify(T1, "a", "standard"))


def test_a_severity_is_confirmed_once() -> None:
    """Who confirms it again is told so; after a correction there is something new to confirm."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", severity="business_critical"))
    router.play(Confirm(T1, "a"))
    with pytest.raises(Conflict, match="business critical is confirmed"):
        router.play(Confirm(T1, "a"))
    assert router.told(SeverityConfirmed) == ["severity.confirmed a"]


def test_a_ticket_handed_back_goes_to_somebody_else() -> None:
    """Who handed it back is passed over; who decided it is told."""
    router = a_router_with("a", "b")
    router.play(HandBack(T1, "a", "lea", "a is overloaded"))
    assert router.tickets[T1].specialist_id == "b"
    [told] = [e.event for e in router.announced if isinstance(e.event, AssignmentHandedBack)]
    assert (told.by, told.reason, told.cause) == ("lea", "a is overloaded", "by_hand")


def test_a_lead_moves_a_ticket() -> None:
    """The one loses it, the other has it; room is counted at both."""
    router = a_router_with("a", "b")
    [outcome] = router.play(Move(T1, "b", "lea", "knows them"))
    assert (outcome.outcome, outcome.specialist_id) == ("assigned", "b")
    assert [router.people[name].load["email"] for name in "ab"] == [0, 1]
    assert router.told(TicketAssigned)[-1] == "ticket.assigned b"


def test_a_lead_moves_what_rings() -> None:
    """The offer is withdrawn."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", channel="chat"), a_specialist("b"))
    router.play(Move(T1, "b", "lea", "knows them"))
    assert router.told(OfferWithdrawn) == ["offer.withdrawn a"]
    assert router.tickets[T1].specialist_id == "b"


def test_nobody_is_moved_a_ticket_beyond_their_capacity() -> None:
    """Not by a lead either."""
    router = a_router_with("a", "b")
    router.play(a_ticket("T2"))
    with pytest.raises(Conflict, match="b has no room for email"):
        router.play(Move(T1, "b", "lea", "knows them"))
    assert router.tickets[T1].specialist_id == "a"


def test_nobody_is_moved_a_ticket_who_is_not_there() -> None:
    """It would stay with somebody who is offline."""
    router = a_router_with("a", "b")
    router.play(PresenceReport("b", "offline"))
    with pytest.raises(Conflict, match="b is offline"):
        router.play(Move(T1, "b", "lea", "knows them"))
    with pytest.raises(Unknown, match="no specialist c"):
        router.play(Move(T1, "c", "lea", "knows them"))


def test_a_pinned_ticket_waits_for_one_person() -> None:
    """Though somebody else has room; unpinned, it goes."""
    router = InMemoryRouter(rules=DIRECTLY)
    router.play(
        a_specialist("a", presence="away"), a_ticket("T1"), Pin(T1, "a", "lea", "knows them")
    )
    router.play(a_specialist("b"))
    assert router.tickets[T1].waits
    router.play(Pin(T1, None, "lea", "cannot wait"))
    assert router.tickets[T1].specialist_id == "b"


def test_a_pinned_ticket_goes_to_its_person() -> None:
    """It is taken from where it rings."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", channel="chat"), a_specialist("b"))
    router.play(Pin(T1, "b", "lea", "knows them"))
    assert router.offer_of("T1").specialist_id == "b"


def test_a_ticket_is_pinned_only_to_who_could_have_it() -> None:
    """Who does not serve it, or another has it: it is moved, or nothing."""
    router = a_router_with("a", "b")
    router.play(a_specialist("j", languages=("ja",)))
    with pytest.raises(Conflict, match="j does not serve"):
        router.play(Pin(T1, "j", "lea", "?"))
    with pytest.raises(Conflict, match="a has it"):
        router.play(Pin(T1, "b", "lea", "?"))
