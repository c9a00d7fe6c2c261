"""Offers: who gets them, for how long, and what follows from each end of an offer."""

from datetime import timedelta

import pytest
from tests.unit.router.assignments import InMemoryRouter, ticket_id

from router.domain.commands import Accept, Conflict, Decline, DeclineOffer, Unknown
from router.domain.offers.rules import Backoff, Exclusions, OfferRules, Ring
from shared.events import (
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
    TicketAssigned,
    TicketOffered,
    TicketReopened,
    TicketResolved,
)
from shared.testing.builders import NOON, a_fact, a_specialist, a_ticket

MAILS_RING = OfferRules(rings={"email": Ring(cap_s=300)})


def test_a_lease_is_a_share_of_the_time_left_within_bounds() -> None:
    """At least the minimum and at most the cap, even after the due time."""
    ring = Ring(cap_s=30, share=0.1, minimum_s=5)
    leases = [
        ring.lease(now=NOON, due_at=NOON + timedelta(seconds=left)).total_seconds()
        for left in (3600, 100, 1, -60)
    ]
    assert leases == [30, 10, 5, 5]


@pytest.mark.parametrize("share", [Ring(cap_s=1).share])
def test_three_unanswered_offers_leave_more_than_half_of_the_time(share: float) -> None:
    """With the built-in share of the time left."""
    assert (1 - share) ** 3 > 0.5


def test_a_chat_rings_and_an_email_is_assigned() -> None:
    """Unless the rules differ."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", channel="chat"), a_ticket("T2"))
    assert router.events_about_specialists() == ["ticket.offered a", "ticket.assigned a"]
    assert router.tickets[ticket_id("T1")].specialist_id is None


def test_an_open_offer_counts_in_the_load() -> None:
    """A second chat is not offered to a specialist with room for one."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", channel="chat"), a_ticket("T2", channel="chat"))
    assert router.events_about_specialists() == ["ticket.offered a"]
    assert router.specialists["a"].load["chat"] == 1


def test_an_accepted_offer_becomes_an_assignment() -> None:
    """The load stays the same; the assignment names its offer."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", channel="chat"))
    [outcome] = router.apply(router.accept("T1"))
    assert router.events_about_specialists() == [
        "ticket.offered a",
        "offer.accepted a",
        "ticket.assigned a",
    ]
    assert (outcome.outcome, outcome.specialist_id) == ("assigned", "a")
    assert router.specialists["a"].load["chat"] == 1
    [assigned] = [e.event for e in router.announced if isinstance(e.event, TicketAssigned)]
    assert assigned.offer_id in router.offers


def test_a_declined_offer_goes_to_another_specialist() -> None:
    """Who declined is excluded; the event has the reason."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_specialist("b"), a_ticket("T1", channel="chat"))
    first = router.offer_of("T1")
    [outcome] = router.apply(DeclineOffer(first.offer_id, first.specialist_id, "in a call"))
    assert outcome.outcome == "offered"
    assert outcome.specialist_id not in {None, first.specialist_id}
    assert router.events_about_specialists(OfferDeclined) == [
        f"offer.declined {first.specialist_id}"
    ]
    assert router.specialists[first.specialist_id].load["chat"] == 0


def test_an_expired_offer_goes_to_another_specialist() -> None:
    """At that instant, not before."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_specialist("b"), a_ticket("T1", channel="chat"))
    first = router.offer_of("T1")
    router.now = first.lease_ends_at - timedelta(microseconds=1)
    router.wake()
    assert router.offer_of("T1") == first
    router.now = first.lease_ends_at
    router.wake()
    assert router.events_about_specialists(OfferExpired) == [f"offer.expired {first.specialist_id}"]
    assert router.offer_of("T1").specialist_id != first.specialist_id


def test_an_expired_offer_cannot_be_accepted() -> None:
    """The refusal states that the ticket went on to others."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_specialist("b"), a_ticket("T1", channel="chat"))
    late = router.accept("T1")
    router.later(seconds=60)
    with pytest.raises(Conflict, match="lease of this offer has ended"):
        router.apply(late)


def test_an_offer_to_another_specialist_cannot_be_accepted() -> None:
    """As if the offer did not exist."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", channel="chat"))
    with pytest.raises(Unknown, match="b has no offer"):
        router.apply(Accept(router.offer_of("T1").offer_id, "b"))


def test_a_directly_assigned_ticket_returns_to_the_only_specialist() -> None:
    """On a channel that does not ring, the only qualified specialist gets it again at once."""
    router = InMemoryRouter(rules=OfferRules(rings={}))
    router.apply(a_specialist("a"), a_ticket("T1", channel="chat"))
    router.apply(Decline(ticket_id("T1"), "a", "busy"))
    assert router.tickets[ticket_id("T1")].specialist_id == "a"


def test_who_declined_is_excluded_for_some_time() -> None:
    """If others may come; after that it is offered again by a timer."""
    router = InMemoryRouter()
    router.apply(
        a_specialist("a"),
        a_ticket("T1", channel="chat"),
        a_specialist("b", presence="away"),
        Decline(ticket_id("T1"), "a", "busy"),
    )
    again_at = NOON + timedelta(seconds=router.rules.set_aside_s.declined)
    router.now = again_at - timedelta(microseconds=1)
    router.wake()
    assert router.tickets[ticket_id("T1")].waits
    assert router.tickets[ticket_id("T1")].wakes_at == again_at
    router.now = again_at
    router.wake()
    assert router.offer_of("T1").specialist_id == "a"


def test_an_exclusion_that_ends_during_an_offer_is_dropped() -> None:
    """When the next lease ends, the formerly excluded specialist is offered it again."""
    rules = OfferRules(set_aside_s=Exclusions(silent=20), no_answer_s=Backoff(first=20))
    router = InMemoryRouter(rules=rules)
    router.apply(*(a_specialist(name) for name in "ab"), a_ticket("T1", channel="phone"))
    first = router.offer_of("T1").specialist_id
    for _ in range(2):
        router.now = router.offer_of("T1").lease_ends_at
        router.wake()
    ticket = router.tickets[ticket_id("T1")]
    assert router.offer_of("T1").specialist_id == first
    assert first not in ticket.excluded_until


def test_every_specialist_is_offered_it_before_any_is_offered_it_twice() -> None:
    """The specialist with the oldest offer comes first."""
    router = InMemoryRouter()
    router.apply(*(a_specialist(name) for name in "abc"), a_ticket("T1", channel="phone"))
    for _ in range(6):
        router.now = router.tickets[ticket_id("T1")].wakes_at or router.now
        router.wake()
    assert router.events_about_specialists(TicketOffered) == [
        f"ticket.offered {name}" for name in "abcabc"
    ]


def test_a_ticket_due_in_30_minutes_survives_three_unanswered_offers() -> None:
    """At least half of the time is left at the fourth offer."""
    router = InMemoryRouter(rules=MAILS_RING)
    specialists = [a_specialist(name) for name in "abcd"]
    router.apply(*specialists, a_ticket("T1", severity="business_critical"))
    for _ in range(3):
        router.now = router.offer_of("T1").lease_ends_at
        router.wake()
    ticket = router.tickets[ticket_id("T1")]
    assert len(set(router.events_about_specialists(TicketOffered))) == 4
    assert ticket.due_at == NOON + timedelta(minutes=30)
    assert ticket.due_at - router.now >= timedelta(minutes=15)


def test_an_offer_is_withdrawn_when_the_work_ends() -> None:
    """The room is free; a reopened ticket is offered again."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", channel="chat"), a_fact(TicketResolved, "T1"))
    assert router.events_about_specialists(OfferWithdrawn) == ["offer.withdrawn a"]
    assert router.specialists["a"].load["chat"] == 0
    router.apply(a_fact(TicketReopened, "T1", after_min=1))
    assert router.offer_of("T1").specialist_id == "a"


def test_each_offer_has_one_end_and_an_id_of_its_own() -> None:
    """The ids of its events differ, too."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", channel="chat"))
    router.later(seconds=10)
    router.wake()
    router.later(seconds=30)
    router.wake()
    router.apply(router.accept("T1"))
    ids = [envelope.id for envelope in router.announced]
    assert len(ids) == len(set(ids))
    assert router.events_about_specialists(OfferAccepted, OfferExpired) == [
        "offer.expired a",
        "offer.accepted a",
    ]
    assert [offer.state for offer in router.offers.values()] == ["expired", "accepted"]
