"""Ringing ends: whoever does not answer is away, and what no one answers rings again later."""

from datetime import timedelta

import pytest
from tests.unit.router.assignments import ADesk, ticket_id

from router.domain.commands import Decline, DeclineOffer, Leave, Move, Pin, Return, Say
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


def let_ring(desk: ADesk, name: str = "T1") -> None:
    """Let the lease of what rings end."""
    desk.now = desk.offer_of(name).lease_ends_at
    desk.wake()


def wait(desk: ADesk, name: str = "T1") -> float:
    """Let a ticket wait until it rings again; how long that was comes back, in seconds."""
    ticket = desk.tickets[ticket_id(name)]
    assert ticket.rings_at is not None
    waited = ticket.rings_at - desk.now
    desk.now = ticket.rings_at
    desk.wake()
    return waited.total_seconds()


def the(desk: ADesk, name: str = "T1") -> Ticket:
    """Find a ticket."""
    return desk.tickets[ticket_id(name)]


def seen(desk: ADesk) -> str:
    """Say whether a is there."""
    return desk.people["a"].seen


def reasons(desk: ADesk) -> list[str]:
    """Read why tickets were told to wait."""
    return [e.event.reason for e in desk.announced if isinstance(e.event, TicketQueued)]


def test_three_unanswered_offers_in_a_row_set_a_specialist_away() -> None:
    """It is published, with how many; nothing rings at them any more."""
    desk = ADesk()
    desk.play(a_specialist("a", after_min=-1), a_ticket("T1", channel="phone"))
    for _ in range(2):
        let_ring(desk)
        wait(desk)
    assert seen(desk) == "online"
    let_ring(desk)
    assert seen(desk) == "away"
    [event] = [e.event for e in desk.announced if isinstance(e.event, SpecialistSetAway)]
    assert (event.specialist_id, event.unanswered) == ("a", 3)
    desk.later(seconds=3600)
    desk.wake()
    assert len(desk.told(TicketOffered)) == 3


def test_two_silent_specialists_are_rung_six_times_and_no_more() -> None:
    """However long the ticket waits: the timeline of half an hour is short."""
    desk = ADesk()
    desk.play(a_specialist("a"), a_specialist("b"), a_ticket("T1", channel="chat"))
    end = desk.now + timedelta(minutes=30)
    while (at := the(desk).wakes_at) is not None and at < end:
        desk.now = at
        desk.wake()
    assert desk.told(TicketOffered) == [f"ticket.offered {name}" for name in "ababab"]
    assert len(desk.announced) < 50


@pytest.mark.parametrize("answer", ["accept", "decline"])
def test_an_answer_begins_the_count_anew(answer: str) -> None:
    """In a row means without an answer between."""
    desk = ADesk()
    desk.play(a_specialist("a"), a_ticket("T1", channel="phone"))
    for _ in range(2):
        let_ring(desk)
        wait(desk)
    offer = desk.offer_of("T1")
    desk.play(desk.accept("T1") if answer == "accept" else DeclineOffer(offer.offer_id, "a", "no"))
    assert desk.people["a"].unanswered == 0


def test_offers_of_several_tickets_count_together() -> None:
    """What matters is that nobody answers; the others that ring at them are withdrawn."""
    desk = ADesk()
    desk.play(a_specialist("a", capacity={"chat": 4}))
    desk.play(*(a_ticket(f"T{n}", channel="chat") for n in range(4)))
    rules = desk.rules.rings["chat"]
    desk.later(seconds=rules.cap_s)
    desk.wake()
    assert seen(desk) == "away"
    ends = desk.told(OfferExpired, OfferWithdrawn)
    assert len(ends) == 4
    assert all(not ticket.offer for ticket in desk.tickets.values())


def test_no_heartbeat_ends_being_away() -> None:
    """Neither an open page nor a desk that says online every few seconds; coming back does."""
    desk = ADesk()
    desk.play(a_specialist("a"), Say("a", "online"), Leave("a"), Say("a", "online"))
    assert seen(desk) == "away"
    desk.later(seconds=60)
    desk.wake()
    assert seen(desk) == "offline"
    desk.play(Say("a", "online"), a_specialist("a", after_min=1))
    assert seen(desk) == "away"
    desk.play(Return("a"))
    assert seen(desk) == "online"


def test_who_comes_back_is_rung_at_once_and_counted_from_nought() -> None:
    """By what they let ring before: they are there now."""
    desk = ADesk()
    desk.play(a_specialist("a"), a_ticket("T1", channel="phone"))
    for _ in range(2):
        let_ring(desk)
        wait(desk)
    let_ring(desk)
    desk.play(Return("a"))
    assert desk.offer_of("T1").specialist_id == "a"
    let_ring(desk)
    assert seen(desk) == "online"


def test_who_was_offline_and_is_back_is_rung_at_once() -> None:
    """But for what they declined."""
    desk = ADesk()
    desk.play(a_specialist("a"), Say("a", "online"))
    desk.play(a_ticket("T1", channel="phone"), a_ticket("T2", channel="chat"))
    desk.play(Decline(ticket_id("T2"), "a", "busy"), Say("a", "offline"), Say("a", "online"))
    assert the(desk, "T2").waits
    let_ring(desk)
    desk.play(Say("a", "offline"), Say("a", "online"))
    assert desk.offer_of("T1").specialist_id == "a"


def test_what_everybody_let_ring_waits_with_no_answer() -> None:
    """And rings again after 30 s, then twice as long, up to 5 min; it keeps its age."""
    desk = ADesk(rules=OfferRules(rings={"email": Ring(cap_s=20)}, away_after=None))
    desk.play(a_specialist("a"), a_ticket("T1"))
    waits = []
    for _ in range(6):
        let_ring(desk)
        assert the(desk).waits
        waits.append(wait(desk))
    assert waits == [30, 60, 120, 240, 300, 300]
    assert reasons(desk) == ["no_answer"] * 6
    assert the(desk).due_at == NOON + timedelta(hours=1)


def test_the_back_off_is_a_rule() -> None:
    """As data; twice as long each time."""
    rules = OfferRules(away_after=None, no_answer_s=Backoff(first=5, most=8))
    desk = ADesk(rules=rules)
    desk.play(a_specialist("a"), a_ticket("T1", channel="phone"))
    waits = []
    for _ in range(3):
        let_ring(desk)
        waits.append(wait(desk))
    assert waits == [5, 8, 8]


def test_declined_by_one_and_let_ring_by_another() -> None:
    """It has no answer either; after the back-off only the silent one is asked again."""
    desk = ADesk()
    desk.play(a_specialist("a"), a_specialist("b"), a_ticket("T1", channel="phone"))
    first = desk.offer_of("T1")
    desk.play(DeclineOffer(first.offer_id, first.specialist_id, "busy"))
    silent = desk.offer_of("T1").specialist_id
    let_ring(desk)
    assert reasons(desk) == ["no_answer"]
    wait(desk)
    assert desk.offer_of("T1").specialist_id == silent != first.specialist_id


def test_a_sole_decliner_is_asked_again_after_the_back_off() -> None:
    """Somebody has to, though not in the same second."""
    desk = ADesk()
    desk.play(a_specialist("a"), a_ticket("T1", channel="phone"))
    desk.play(Decline(ticket_id("T1"), "a", "busy"))
    assert the(desk).waits
    assert wait(desk) == 30
    assert desk.offer_of("T1").specialist_id == "a"


def test_a_pinned_ticket_waits_as_well() -> None:
    """Before it rings again at whom it is kept for; unpinned, others get it at once."""
    desk = ADesk()
    desk.play(a_specialist("a"), a_ticket("T1", channel="phone"), a_specialist("b"))
    desk.play(Pin(ticket_id("T1"), "a", "lea", "knows the account"))
    let_ring(desk)
    assert the(desk).waits
    wait(desk)
    assert desk.offer_of("T1").specialist_id == "a"
    let_ring(desk)
    desk.play(Pin(ticket_id("T1"), None, "lea", "knows the account"))
    assert desk.offer_of("T1").specialist_id == "b"


def test_whoever_did_not_let_it_ring_is_offered_it_at_once() -> None:
    """They come online during the back-off, or have room again."""
    desk = ADesk()
    desk.play(a_specialist("a"), a_ticket("T1", channel="phone"))
    let_ring(desk)
    desk.play(a_specialist("b"))
    assert desk.offer_of("T1").specialist_id == "b"


def test_a_lead_moves_what_has_no_answer() -> None:
    """To whoever is there; the next time it rings, it begins with 30 s again."""
    desk = ADesk()
    desk.play(a_specialist("a"), a_ticket("T1", channel="phone"))
    let_ring(desk)
    desk.play(Move(ticket_id("T1"), "a", "lea", "calls them herself"))
    assert (the(desk).specialist_id, the(desk).rounds, the(desk).rings_at) == ("a", 0, None)


def test_it_rings_once_more_before_its_promise_is_due() -> None:
    """The last chance is a shortest lease before that, however long the back-off."""
    desk = ADesk(rules=OfferRules(away_after=None, no_answer_s=Backoff(first=300)))
    desk.play(a_specialist("a"), a_ticket("T1", channel="phone"))
    due_at = the(desk).due_at or NOON
    let_ring(desk)
    wait(desk)
    assert desk.now == due_at - timedelta(seconds=desk.rules.rings["phone"].minimum_s)
    let_ring(desk)
    assert desk.now == due_at
    assert wait(desk) == 300


@pytest.mark.parametrize("channel", ["chat", "phone"])
def test_nothing_rings_at_who_never_signed_in(channel: Channel) -> None:
    """The roster's default is no one's word; the first heartbeat is."""
    desk = ADesk()
    desk.play(a_specialist("a", auto_ring=False), a_ticket("T1", channel=channel), a_ticket("T2"))
    assert the(desk).waits
    assert reasons(desk) == ["no_shift"]
    assert the(desk, "T2").specialist_id == "a"
    desk.play(Say("a", "online"))
    assert desk.offer_of("T1").specialist_id == "a"


def test_who_signed_in_once_is_rung_whenever_they_are_there() -> None:
    """And not when they left."""
    desk = ADesk()
    desk.play(a_specialist("a", auto_ring=False), Say("a", "online"))
    desk.later(seconds=60)
    desk.play(a_ticket("T1", channel="chat", after_min=1))
    assert the(desk).waits
    desk.play(Say("a", "online"))
    assert desk.offer_of("T1").specialist_id == "a"


def test_rules_that_ring_nowhere_need_no_sign_in() -> None:
    """A channel that is assigned directly asks only for who is there."""
    desk = ADesk(rules=OfferRules(rings={}))
    desk.play(a_specialist("a", auto_ring=False), a_ticket("T1", channel="chat"))
    assert the(desk).specialist_id == "a"


def test_a_record_says_who_never_signed_in_and_decides_the_same_again() -> None:
    """By itself: it needs no roster and no rules."""
    desk = ADesk()
    desk.play(a_specialist("a", auto_ring=False), a_specialist("b"), a_ticket("T1", channel="chat"))
    let_ring(desk)
    wait(desk)
    records = [e.event for e in desk.announced if isinstance(e.event, AssignmentExplained)]
    assert len(records) == 3
    for record in records:
        again = redecide(record.wanted, record.weights, record.candidates)
        assert again == record.specialist_id
    a, b = sorted(records[0].candidates, key=lambda one: one.specialist_id)
    assert (a.unheard, a.failed) == (True, "presence")
    assert not b.unheard


def test_who_leaves_the_roster_and_returns_is_not_away() -> None:
    """What was unanswered before is forgotten, as is what they said."""
    desk = ADesk()
    desk.play(a_specialist("a"), a_ticket("T1", channel="phone"))
    let_ring(desk)
    desk.play(Leave("a"), gone("a", after_min=1), a_specialist("a", after_min=2))
    assert (seen(desk), desk.people["a"].unanswered) == ("online", 0)
