"""Offers: who is rung for how long, and what each end of an offer comes to."""

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
from shared.testing.builders import NOON, a_specialist, a_ticket, told

MAILS_RING = OfferRules(rings={"email": Ring(cap_s=300)})


def test_a_lease_is_a_share_of_the_time_left_within_bounds() -> None:
    """At most the cap, at least the minimum, though the promise be broken already."""
    ring = Ring(cap_s=30, share=0.1, minimum_s=5)
    leases = [
        ring.lease(now=NOON, due_at=NOON + timedelta(seconds=left)).total_seconds()
        for left in (3600, 100, 1, -60)
    ]
    assert leases == [30, 10, 5, 5]


@pytest.mark.parametrize("share", [Ring(cap_s=1).share])
def test_any_budget_survives_three_who_say_nothing(share: float) -> None:
    """More than half of it is left."""
    assert (1 - share) ** 3 > 0.5


def test_a_chat_rings_and_a_mail_is_assigned() -> None:
    """Unless the rules say otherwise."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", channel="chat"), a_ticket("T2"))
    assert router.told() == ["ticket.offered a", "ticket.assigned a"]
    assert router.tickets[ticket_id("T1")].specialist_id is None


def test_an_offer_holds_room() -> None:
    """A second chat does not ring at somebody with room for one."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", channel="chat"), a_ticket("T2", channel="chat"))
    assert router.told() == ["ticket.offered a"]
    assert router.people["a"].load["chat"] == 1


def test_assigned_follows_accepted() -> None:
    """The room was held already; the assignment names its offer."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", channel="chat"))
    [outcome] = router.play(router.accept("T1"))
    assert router.told() == ["ticket.offered a", "offer.accepted a", "ticket.assigned a"]
    assert (outcome.outcome, outcome.specialist_id) == ("assigned", "a")
    assert router.people["a"].load["chat"] == 1
    [assigned] = [e.event for e in router.announced if isinstance(e.event, TicketAssigned)]
    assert assigned.offer_id in router.offers


def test_a_declined_offer_goes_on_to_somebody_else() -> None:
    """The decliner is passed over; the reason is told."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_specialist("b"), a_ticket("T1", channel="chat"))
    first = router.offer_of("T1")
    [outcome] = router.play(DeclineOffer(first.offer_id, first.specialist_id, "in a call"))
    assert outcome.outcome == "offered"
    assert outcome.specialist_id not in {None, first.specialist_id}
    assert router.told(OfferDeclined) == [f"offer.declined {first.specialist_id}"]
    assert router.people[first.specialist_id].load["chat"] == 0


def test_a_silent_specialist_is_passed_over_when_the_lease_ends() -> None:
    """At that instant, not before."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_specialist("b"), a_ticket("T1", channel="chat"))
    first = router.offer_of("T1")
    router.now = first.lease_ends_at - timedelta(microseconds=1)
    router.wake()
    assert router.offer_of("T1") == first
    router.now = first.lease_ends_at
    router.wake()
    assert router.told(OfferExpired) == [f"offer.expired {first.specialist_id}"]
    assert router.offer_of("T1").specialist_id != first.specialist_id


def test_nobody_accepts_when_the_lease_has_ended() -> None:
    """It is said that the ticket went on."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_specialist("b"), a_ticket("T1", channel="chat"))
    late = router.accept("T1")
    router.later(seconds=60)
    with pytest.raises(Conflict, match="lease of this offer has ended"):
        router.play(late)


def test_nobody_accepts_what_rings_at_another() -> None:
    """As if there were no such offer."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", channel="chat"))
    with pytest.raises(Unknown, match="b has no offer"):
        router.play(Accept(router.offer_of("T1").offer_id, "b"))


def test_a_sole_decliner_of_what_does_not_ring_has_it_again() -> None:
    """Somebody has to."""
    router = InMemoryRouter(rules=OfferRules(rings={}))
    router.play(a_specialist("a"), a_ticket("T1", channel="chat"))
    router.play(Decline(ticket_id("T1"), "a", "busy"))
    assert router.tickets[ticket_id("T1")].specialist_id == "a"


def test_a_decliner_is_left_alone_for_a_time_while_others_could_come() -> None:
    """Then it rings again, by itself."""
    router = InMemoryRouter()
    router.play(
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


def test_a_setting_aside_that_ended_while_it_rang_is_forgotten() -> None:
    """When the next lease ends, who was silent long ago is asked again before nobody is."""
    rules = OfferRules(set_aside_s=Exclusions(silent=20), no_answer_s=Backoff(first=20))
    router = InMemoryRouter(rules=rules)
    router.play(*(a_specialist(name) for name in "ab"), a_ticket("T1", channel="phone"))
    first = router.offer_of("T1").specialist_id
    for _ in range(2):
        router.now = router.offer_of("T1").lease_ends_at
        router.wake()
    ticket = router.tickets[ticket_id("T1")]
    assert router.offer_of("T1").specialist_id == first
    assert first not in ticket.excluded_until


def test_all_are_rung_before_anybody_is_rung_twice() -> None:
    """Whoever rang longest ago comes first."""
    router = InMemoryRouter()
    router.play(*(a_specialist(name) for name in "abc"), a_ticket("T1", channel="phone"))
    for _ in range(6):
        router.now = router.tickets[ticket_id("T1")].wakes_at or router.now
        router.wake()
    assert router.told(TicketOffered) == [f"ticket.offered {name}" for name in "abcabc"]


def test_a_30_minute_ticket_survives_three_silent_specialists() -> None:
    """Half of its budget is left at least, when the fourth is rung."""
    router = InMemoryRouter(rules=MAILS_RING)
    people = [a_specialist(name) for name in "abcd"]
    router.play(*people, a_ticket("T1", severity="business_critical"))
    for _ in range(3):
        router.now = router.offer_of("T1").lease_ends_at
        router.wake()
    ticket = router.tickets[ticket_id("T1")]
    assert len(set(router.told(TicketOffered))) == 4
    assert ticket.due_at == NOON + timedelta(minutes=30)
    assert ticket.due_at - router.now >= timedelta(minutes=15)


def test_an_offer_is_withdrawn_when_the_work_ends() -> None:
    """Its room is free; the ticket rings at nobody, and again when it is reopened."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", channel="chat"), told(TicketResolved, "T1"))
    assert router.told(OfferWithdrawn) == ["offer.withdrawn a"]
    assert router.people["a"].load["chat"] == 0
    router.play(told(TicketReopened, "T1", after_min=1))
    assert router.offer_of("T1").specialist_id == "a"


def test_each_offer_has_one_end_and_a_name_of_its_own() -> None:
    """What is told of it is told under ids that differ."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", channel="chat"))
    router.later(seconds=10)
    router.wake()
    router.later(seconds=30)
    router.wake()
    router.play(router.accept("T1"))
    ids = [envelope.id for envelope in router.announced]
    assert len(ids) == len(set(ids))
    assert router.told(OfferAccepted, OfferExpired) == ["offer.expired a", "offer.accepted a"]
    assert [offer.state for offer in router.offers.values()] == ["expired", "accepted"]
