"""Unanswered offers: the specialist is set away, the ticket is offered again after a back-off."""

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
from router.domain.matching.ranking import redecide
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
from shared.testing.builders import NOON, a_specialist, a_ticket, removed


def expire_offer(router: InMemoryRouter, name: str = "T1") -> None:
    """Let the lease of an open offer end."""
    router.now = router.offer_of(name).lease_ends_at
    router.wake()


def wait(router: InMemoryRouter, name: str = "T1") -> float:
    """Let the back-off of a ticket end; return its seconds."""
    ticket = router.tickets[ticket_id(name)]
    assert ticket.rings_at is not None
    waited = ticket.rings_at - router.now
    router.now = ticket.rings_at
    router.wake()
    return waited.total_seconds()


def the(router: InMemoryRouter, name: str = "T1") -> Ticket:
    """Return a ticket."""
    return router.tickets[ticket_id(name)]


def presence_of_a(router: InMemoryRouter) -> str:
    """Return the effective presence of specialist a."""
    return router.specialists["a"].effective_presence


def reasons(router: InMemoryRouter) -> list[str]:
    """Return the announced reasons for waiting."""
    return [e.event.reason for e in router.announced if isinstance(e.event, TicketQueued)]


def test_three_unanswered_offers_in_a_row_set_a_specialist_away() -> None:
    """The event has their number; the specialist gets no more offers."""
    router = InMemoryRouter()
    router.apply(a_specialist("a", after_min=-1), a_ticket("T1", channel="phone"))
    for _ in range(2):
        expire_offer(router)
        wait(router)
    assert presence_of_a(router) == "online"
    expire_offer(router)
    assert presence_of_a(router) == "away"
    [event] = [e.event for e in router.announced if isinstance(e.event, SpecialistSetAway)]
    assert (event.specialist_id, event.unanswered) == ("a", 3)
    router.later(seconds=3600)
    router.wake()
    assert len(router.events_about_specialists(TicketOffered)) == 3


def test_two_specialists_without_answers_get_six_offers_at_most() -> None:
    """However long the ticket waits, so that its history stays short."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_specialist("b"), a_ticket("T1", channel="chat"))
    end = router.now + timedelta(minutes=30)
    while (at := the(router).wakes_at) is not None and at < end:
        router.now = at
        router.wake()
    assert router.events_about_specialists(TicketOffered) == [
        f"ticket.offered {name}" for name in "ababab"
    ]
    assert len(router.announced) < 50


@pytest.mark.parametrize("answer", ["accept", "decline"])
def test_an_answer_resets_the_count(answer: str) -> None:
    """Only offers without an answer between them count."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", channel="phone"))
    for _ in range(2):
        expire_offer(router)
        wait(router)
    offer = router.offer_of("T1")
    router.apply(
        router.accept("T1") if answer == "accept" else DeclineOffer(offer.offer_id, "a", "no")
    )
    assert router.specialists["a"].unanswered == 0


def test_offers_of_several_tickets_count_together() -> None:
    """The other open offers of the specialist are then withdrawn."""
    router = InMemoryRouter()
    router.apply(a_specialist("a", capacity={"chat": 4}))
    router.apply(*(a_ticket(f"T{n}", channel="chat") for n in range(4)))
    rules = router.rules.rings["chat"]
    router.later(seconds=rules.cap_s)
    router.wake()
    assert presence_of_a(router) == "away"
    ends = router.events_about_specialists(OfferExpired, OfferWithdrawn)
    assert len(ends) == 4
    assert all(not ticket.offer for ticket in router.tickets.values())


def test_a_heartbeat_does_not_end_being_away() -> None:
    """Neither an open page nor a phone system that reports online; only the return command does."""
    router = InMemoryRouter()
    router.apply(
        a_specialist("a"),
        PresenceReport("a", "online"),
        SetAway("a"),
        PresenceReport("a", "online"),
    )
    assert presence_of_a(router) == "away"
    router.later(seconds=60)
    router.wake()
    assert presence_of_a(router) == "offline"
    router.apply(PresenceReport("a", "online"), a_specialist("a", after_min=1))
    assert presence_of_a(router) == "away"
    router.apply(EndAway("a"))
    assert presence_of_a(router) == "online"


def test_a_returned_specialist_gets_offers_at_once_and_counts_from_zero() -> None:
    """Even of tickets that they did not answer before."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", channel="phone"))
    for _ in range(2):
        expire_offer(router)
        wait(router)
    expire_offer(router)
    router.apply(EndAway("a"))
    assert router.offer_of("T1").specialist_id == "a"
    expire_offer(router)
    assert presence_of_a(router) == "online"


def test_a_specialist_back_from_offline_gets_offers_at_once() -> None:
    """Except of tickets that they declined."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), PresenceReport("a", "online"))
    router.apply(a_ticket("T1", channel="phone"), a_ticket("T2", channel="chat"))
    router.apply(
        Decline(ticket_id("T2"), "a", "busy"),
        PresenceReport("a", "offline"),
        PresenceReport("a", "online"),
    )
    assert the(router, "T2").waits
    expire_offer(router)
    router.apply(PresenceReport("a", "offline"), PresenceReport("a", "online"))
    assert router.offer_of("T1").specialist_id == "a"


def test_a_ticket_that_no_specialist_answers_waits() -> None:
    """It is offered again after 30 s, then after twice as long, up to 5 min; it keeps its age."""
    router = InMemoryRouter(rules=OfferRules(rings={"email": Ring(cap_s=20)}, away_after=None))
    router.apply(a_specialist("a"), a_ticket("T1"))
    waits = []
    for _ in range(6):
        expire_offer(router)
        assert the(router).waits
        waits.append(wait(router))
    assert waits == [30, 60, 120, 240, 300, 300]
    assert reasons(router) == ["no_answer"] * 6
    assert the(router).due_at == NOON + timedelta(hours=1)


def test_the_back_off_follows_the_rules() -> None:
    """It doubles each time, up to a maximum."""
    rules = OfferRules(away_after=None, no_answer_s=Backoff(first=5, most=8))
    router = InMemoryRouter(rules=rules)
    router.apply(a_specialist("a"), a_ticket("T1", channel="phone"))
    waits = []
    for _ in range(3):
        expire_offer(router)
        waits.append(wait(router))
    assert waits == [5, 8, 8]


def test_a_ticket_that_one_declined_and_one_did_not_answer_waits() -> None:
    """After the back-off, only the specialist who did not answer is offered it again."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_specialist("b"), a_ticket("T1", channel="phone"))
    first = router.offer_of("T1")
    router.apply(DeclineOffer(first.offer_id, first.specialist_id, "busy"))
    silent = router.offer_of("T1").specialist_id
    expire_offer(router)
    assert reasons(router) == ["no_answer"]
    wait(router)
    assert router.offer_of("T1").specialist_id == silent != first.specialist_id


def test_the_only_specialist_is_offered_a_declined_ticket_after_the_back_off() -> None:
    """It does not ring again at once."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", channel="phone"))
    router.apply(Decline(ticket_id("T1"), "a", "busy"))
    assert the(router).waits
    assert wait(router) == 30
    assert router.offer_of("T1").specialist_id == "a"


def test_a_pinned_ticket_has_a_back_off_too() -> None:
    """Once unpinned, others are offered it at once."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", channel="phone"), a_specialist("b"))
    router.apply(Pin(ticket_id("T1"), "a", "lea", "knows the account"))
    expire_offer(router)
    assert the(router).waits
    wait(router)
    assert router.offer_of("T1").specialist_id == "a"
    expire_offer(router)
    router.apply(Pin(ticket_id("T1"), None, "lea", "knows the account"))
    assert router.offer_of("T1").specialist_id == "b"


def test_a_specialist_who_is_not_excluded_is_offered_it_during_the_back_off() -> None:
    """Such a specialist comes online, or has room again."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", channel="phone"))
    expire_offer(router)
    router.apply(a_specialist("b"))
    assert router.offer_of("T1").specialist_id == "b"


def test_a_lead_moves_a_ticket_during_its_back_off() -> None:
    """To an available specialist; the next back-off is 30 s again."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", channel="phone"))
    expire_offer(router)
    router.apply(Move(ticket_id("T1"), "a", "lea", "calls them herself"))
    assert (the(router).specialist_id, the(router).rounds, the(router).rings_at) == ("a", 0, None)


def test_a_ticket_is_offered_once_more_before_it_is_due() -> None:
    """At the latest one minimum lease before the due time, whatever the back-off."""
    router = InMemoryRouter(rules=OfferRules(away_after=None, no_answer_s=Backoff(first=300)))
    router.apply(a_specialist("a"), a_ticket("T1", channel="phone"))
    due_at = the(router).due_at or NOON
    expire_offer(router)
    wait(router)
    assert router.now == due_at - timedelta(seconds=router.rules.rings["phone"].minimum_s)
    expire_offer(router)
    assert router.now == due_at
    assert wait(router) == 300


@pytest.mark.parametrize("channel", ["chat", "phone"])
def test_a_specialist_who_never_signed_in_gets_no_offer(channel: Channel) -> None:
    """A presence from the roster is not enough; the first heartbeat is."""
    router = InMemoryRouter()
    router.apply(
        a_specialist("a", auto_ring=False), a_ticket("T1", channel=channel), a_ticket("T2")
    )
    assert the(router).waits
    assert reasons(router) == ["no_shift"]
    assert the(router, "T2").specialist_id == "a"
    router.apply(PresenceReport("a", "online"))
    assert router.offer_of("T1").specialist_id == "a"


def test_a_specialist_who_signed_in_once_gets_offers_while_online() -> None:
    """Not after they were removed from the roster."""
    router = InMemoryRouter()
    router.apply(a_specialist("a", auto_ring=False), PresenceReport("a", "online"))
    router.later(seconds=60)
    router.apply(a_ticket("T1", channel="chat", after_min=1))
    assert the(router).waits
    router.apply(PresenceReport("a", "online"))
    assert router.offer_of("T1").specialist_id == "a"


def test_direct_assignment_needs_no_sign_in() -> None:
    """On a channel that does not ring, presence is enough."""
    router = InMemoryRouter(rules=OfferRules(rings={}))
    router.apply(a_specialist("a", auto_ring=False), a_ticket("T1", channel="chat"))
    assert the(router).specialist_id == "a"


def test_a_record_names_those_who_never_signed_in() -> None:
    """It leads to the same choice without roster and rules."""
    router = InMemoryRouter()
    router.apply(
        a_specialist("a", auto_ring=False), a_specialist("b"), a_ticket("T1", channel="chat")
    )
    expire_offer(router)
    wait(router)
    records = [e.event for e in router.announced if isinstance(e.event, AssignmentExplained)]
    assert len(records) == 3
    for record in records:
        again = redecide(record.wanted, record.weights, record.candidates)
        assert again == record.specialist_id
    a, b = sorted(records[0].candidates, key=lambda one: one.specialist_id)
    assert (a.unheard, a.failed) == (True, "presence")
    assert not b.unheard


def test_a_relisted_specialist_is_not_away() -> None:
    """Earlier unanswered offers and presence reports are deleted."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", channel="phone"))
    expire_offer(router)
    router.apply(SetAway("a"), removed("a", after_min=1), a_specialist("a", after_min=2))
    assert (presence_of_a(router), router.specialists["a"].unanswered) == ("online", 0)
