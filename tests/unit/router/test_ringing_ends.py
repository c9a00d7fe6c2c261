"""Ringing ends: whoever does not answer is away, and what no one answers rings again later."""

from datetime import timedelta

import pytest
from tests.unit.router.assignments import InMemoryRouter, ticket_id

from router.domain.commands import (
    Decline,
    DeclineOffer,
    EndAway,
    Move,
    Pin,
    PresenceReport,
    SetAway,
)
from router.domain.matching.scoring import redecide
from router.domain.offers.rules import Backoff, OfferRules, Ring
from router.domain.ticket import Ticket
from shared.events import (
    AssignmentExplained,
    OfferExpired,
    OfferWithdrawn,
    SpecialistSetAway,
    TicketOffered,
    TicketQueued,
)
from shared.sla.promises import Channel
from shared.testing.builders import NOON, a_specialist, a_ticket, gone


def let_ring(router: InMemoryRouter, name: str = "T1") -> None:
    """Let the lease of what rings end."""
    router.now = router.offer_of(name).lease_ends_at
    router.wake()


def wait(router: InMemoryRouter, name: str = "T1") -> float:
    """Let a ticket wait until it rings again; how long that was comes back, in seconds."""
    ticket = router.tickets[ticket_id(name)]
    assert ticket.rings_at is not None
    waited = ticket.rings_at - router.now
    router.now = ticket.rings_at
    router.wake()
    return waited.total_seconds()


def the(router: InMemoryRouter, name: str = "T1") -> Ticket:
    """Find a ticket."""
    return router.tickets[ticket_id(name)]


def seen(router: InMemoryRouter) -> str:
    """Say whether a is there."""
    return router.people["a"].effective_presence


def reasons(router: InMemoryRouter) -> list[str]:
    """Read why tickets were told to wait."""
    return [e.event.reason for e in router.announced if isinstance(e.event, TicketQueued)]


def test_three_unanswered_offers_in_a_row_set_a_specialist_away() -> None:
    """It is published, with how many; nothing rings at them any more."""
    router = InMemoryRouter()
    router.play(a_specialist("a", after_min=-1), a_ticket("T1", channel="phone"))
    for _ in range(2):
        let_ring(router)
        wait(router)
    assert seen(router) == "online"
    let_ring(router)
    assert seen(router) == "away"
    [event] = [e.event for e in router.announced if isinstance(e.event, SpecialistSetAway)]
    assert (event.specialist_id, event.unanswered) == ("a", 3)
    router.later(seconds=3600)
    router.wake()
    assert len(router.told(TicketOffered)) == 3


def test_two_silent_specialists_are_rung_six_times_and_no_more() -> None:
    """However long the ticket waits: the timeline of half an hour is short."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_specialist("b"), a_ticket("T1", channel="chat"))
    end = router.now + timedelta(minutes=30)
    while (at := the(router).wakes_at) is not None and at < end:
        router.now = at
        router.wake()
    assert router.told(TicketOffered) == [f"ticket.offered {name}" for name in "ababab"]
    assert len(router.announced) < 50


@pytest.mark.parametrize("answer", ["accept", "decline"])
def test_an_answer_begins_the_count_anew(answer: str) -> None:
    """In a row means without an answer between."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", channel="phone"))
    for _ in range(2):
        let_ring(router)
        wait(router)
    offer = router.offer_of("T1")
    router.play(
        router.accept("T1") if answer == "accept" else DeclineOffer(offer.offer_id, "a", "no")
    )
    assert router.people["a"].unanswered == 0


def test_offers_of_several_tickets_count_together() -> None:
    """What matters is that nobody answers; the others that ring at them are withdrawn."""
    router = InMemoryRouter()
    router.play(a_specialist("a", capacity={"chat": 4}))
    router.play(*(a_ticket(f"T{n}", channel="chat") for n in range(4)))
    rules = router.rules.rings["chat"]
    router.later(seconds=rules.cap_s)
    router.wake()
    assert seen(router) == "away"
    ends = router.told(OfferExpired, OfferWithdrawn)
    assert len(ends) == 4
    assert all(not ticket.offer for ticket in router.tickets.values())


def test_no_heartbeat_ends_being_away() -> None:
    """Neither an open page nor a router that says online every few seconds; coming back does."""
    router = InMemoryRouter()
    router.play(
        a_specialist("a"),
        PresenceReport("a", "online"),
        SetAway("a"),
        PresenceReport("a", "online"),
    )
    assert seen(router) == "away"
    router.later(seconds=60)
    router.wake()
    assert seen(router) == "offline"
    router.play(PresenceReport("a", "online"), a_specialist("a", after_min=1))
    assert seen(router) == "away"
    router.play(EndAway("a"))
    assert seen(router) == "online"


def test_who_comes_back_is_rung_at_once_and_counted_from_nought() -> None:
    """By what they let ring before: they are there now."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", channel="phone"))
    for _ in range(2):
        let_ring(router)
        wait(router)
    let_ring(router)
    router.play(EndAway("a"))
    assert router.offer_of("T1").specialist_id == "a"
    let_ring(router)
    assert seen(router) == "online"


def test_who_was_offline_and_is_back_is_rung_at_once() -> None:
    """But for what they declined."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), PresenceReport("a", "online"))
    router.play(a_ticket("T1", channel="phone"), a_ticket("T2", channel="chat"))
    router.play(
        Decline(ticket_id("T2"), "a", "busy"),
        PresenceReport("a", "offline"),
        PresenceReport("a", "online"),
    )
    assert the(router, "T2").waits
    let_ring(router)
    router.play(PresenceReport("a", "offline"), PresenceReport("a", "online"))
    assert router.offer_of("T1").specialist_id == "a"


def test_what_everybody_let_ring_waits_with_no_answer() -> None:
    """And rings again after 30 s, then twice as long, up to 5 min; it keeps its age."""
    router = InMemoryRouter(rules=OfferRules(rings={"email": Ring(cap_s=20)}, away_after=None))
    router.play(a_specialist("a"), a_ticket("T1"))
    waits = []
    for _ in range(6):
        let_ring(router)
        assert the(router).waits
        waits.append(wait(router))
    assert waits == [30, 60, 120, 240, 300, 300]
    assert reasons(router) == ["no_answer"] * 6
    assert the(router).due_at == NOON + timedelta(hours=1)


def test_the_back_off_is_a_rule() -> None:
    """As data; twice as long each time."""
    rules = OfferRules(away_after=None, no_answer_s=Backoff(first=5, most=8))
    router = InMemoryRouter(rules=rules)
    router.play(a_specialist("a"), a_ticket("T1", channel="phone"))
    waits = []
    for _ in range(3):
        let_ring(router)
        waits.append(wait(router))
    assert waits == [5, 8, 8]


def test_declined_by_one_and_let_ring_by_another() -> None:
    """It has no answer either; after the back-off only the silent one is asked again."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_specialist("b"), a_ticket("T1", channel="phone"))
    first = router.offer_of("T1")
    router.play(DeclineOffer(first.offer_id, first.specialist_id, "busy"))
    silent = router.offer_of("T1").specialist_id
    let_ring(router)
    assert reasons(router) == ["no_answer"]
    wait(router)
    assert router.offer_of("T1").specialist_id == silent != first.specialist_id


def test_a_sole_decliner_is_asked_again_after_the_back_off() -> None:
    """Somebody has to, though not in the same second."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", channel="phone"))
    router.play(Decline(ticket_id("T1"), "a", "busy"))
    assert the(router).waits
    assert wait(router) == 30
    assert router.offer_of("T1").specialist_id == "a"


def test_a_pinned_ticket_waits_as_well() -> None:
    """Before it rings again at whom it is kept for; unpinned, others get it at once."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", channel="phone"), a_specialist("b"))
    router.play(Pin(ticket_id("T1"), "a", "lea", "knows the account"))
    let_ring(router)
    assert the(router).waits
    wait(router)
    assert router.offer_of("T1").specialist_id == "a"
    let_ring(router)
    router.play(Pin(ticket_id("T1"), None, "lea", "knows the account"))
    assert router.offer_of("T1").specialist_id == "b"


def test_whoever_did_not_let_it_ring_is_offered_it_at_once() -> None:
    """They come online during the back-off, or have room again."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", channel="phone"))
    let_ring(router)
    router.play(a_specialist("b"))
    assert router.offer_of("T1").specialist_id == "b"


def test_a_lead_moves_what_has_no_answer() -> None:
    """To whoever is there; the next time it rings, it begins with 30 s again."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", channel="phone"))
    let_ring(router)
    router.play(Move(ticket_id("T1"), "a", "lea", "calls them herself"))
    assert (the(router).specialist_id, the(router).rounds, the(router).rings_at) == ("a", 0, None)


def test_it_rings_once_more_before_its_promise_is_due() -> None:
    """The last chance is a shortest lease before that, however long the back-off."""
    router = InMemoryRouter(rules=OfferRules(away_after=None, no_answer_s=Backoff(first=300)))
    router.play(a_specialist("a"), a_ticket("T1", channel="phone"))
    due_at = the(router).due_at or NOON
    let_ring(router)
    wait(router)
    assert router.now == due_at - timedelta(seconds=router.rules.rings["phone"].minimum_s)
    let_ring(router)
    assert router.now == due_at
    assert wait(router) == 300


@pytest.mark.parametrize("channel", ["chat", "phone"])
def test_nothing_rings_at_who_never_signed_in(channel: Channel) -> None:
    """The roster's default is no one's word; the first heartbeat is."""
    router = InMemoryRouter()
    router.play(a_specialist("a", auto_ring=False), a_ticket("T1", channel=channel), a_ticket("T2"))
    assert the(router).waits
    assert reasons(router) == ["no_shift"]
    assert the(router, "T2").specialist_id == "a"
    router.play(PresenceReport("a", "online"))
    assert router.offer_of("T1").specialist_id == "a"


def test_who_signed_in_once_is_rung_whenever_they_are_there() -> None:
    """And not when they left."""
    router = InMemoryRouter()
    router.play(a_specialist("a", auto_ring=False), PresenceReport("a", "online"))
    router.later(seconds=60)
    router.play(a_ticket("T1", channel="chat", after_min=1))
    assert the(router).waits
    router.play(PresenceReport("a", "online"))
    assert router.offer_of("T1").specialist_id == "a"


def test_rules_that_ring_nowhere_need_no_sign_in() -> None:
    """A channel that is assigned directly asks only for who is there."""
    router = InMemoryRouter(rules=OfferRules(rings={}))
    router.play(a_specialist("a", auto_ring=False), a_ticket("T1", channel="chat"))
    assert the(router).specialist_id == "a"


def test_a_record_says_who_never_signed_in_and_decides_the_same_again() -> None:
    """By itself: it needs no roster and no rules."""
    router = InMemoryRouter()
    router.play(
        a_specialist("a", auto_ring=False), a_specialist("b"), a_ticket("T1", channel="chat")
    )
    let_ring(router)
    wait(router)
    records = [e.event for e in router.announced if isinstance(e.event, AssignmentExplained)]
    assert len(records) == 3
    for record in records:
        again = redecide(record.wanted, record.weights, record.candidates)
        assert again == record.specialist_id
    a, b = sorted(records[0].candidates, key=lambda one: one.specialist_id)
    assert (a.unheard, a.failed) == (True, "presence")
    assert not b.unheard


def test_who_leaves_the_roster_and_returns_is_not_away() -> None:
    """What was unanswered before is forgotten, as is what they said."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", channel="phone"))
    let_ring(router)
    router.play(SetAway("a"), gone("a", after_min=1), a_specialist("a", after_min=2))
    assert (seen(router), router.people["a"].unanswered) == ("online", 0)
