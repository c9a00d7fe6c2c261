"""Presence: whose word counts, when it lapses, and what is handed back then."""

from datetime import timedelta

import pytest
from tests.unit.router.assignments import InMemoryRouter, ticket_id

from router.domain.commands import PresenceReport
from router.domain.offers.rules import Grace, OfferRules
from shared.events import AssignmentHandedBack, OfferWithdrawn
from shared.sla.promises import Channel
from shared.testing.builders import NOON, a_specialist, a_ticket, gone

DIRECTLY = OfferRules(rings={})
DAY = {"zone": "UTC", "hours": {"mon-fri": ["09:00-17:00"]}}


def current_specialist_id(router: InMemoryRouter, name: str = "T1") -> str | None:
    """Say who has a ticket, or is offered it."""
    return router.tickets[ticket_id(name)].current_specialist_id


def test_who_never_said_a_word_is_there_as_the_roster_says() -> None:
    """For as long as the roster says so."""
    router = InMemoryRouter()
    router.play(a_specialist("a"))
    router.later(seconds=3600)
    router.play(a_ticket("T1", after_min=60))
    assert current_specialist_id(router) == "a"


def test_a_word_holds_for_its_lease_and_then_means_offline() -> None:
    """Fifteen seconds."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), PresenceReport("a", "online"))
    router.later(seconds=14.9)
    router.play(a_ticket("T1"))
    assert current_specialist_id(router) == "a"
    router.later(seconds=0.1)
    router.play(a_ticket("T2"))
    assert current_specialist_id(router, "T2") is None


def test_the_more_absent_word_counts() -> None:
    """Neither an import nor a browser left open lets work go to who is away."""
    router = InMemoryRouter()
    router.play(
        a_specialist("a"),
        PresenceReport("a", "away"),
        a_specialist("a", after_min=1),
        a_ticket("T1"),
    )
    assert current_specialist_id(router) is None
    router.play(a_specialist("a", presence="away", after_min=2), PresenceReport("a", "online"))
    assert current_specialist_id(router) is None
    router.play(a_specialist("a", after_min=3))
    assert current_specialist_id(router) == "a"


def test_who_comes_back_gets_work_at_once() -> None:
    """A word is enough."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), PresenceReport("a", "offline"), a_ticket("T1"))
    assert current_specialist_id(router) is None
    router.play(PresenceReport("a", "online"))
    assert current_specialist_id(router) == "a"


def test_who_leaves_the_roster_and_returns_has_not_said_a_word() -> None:
    """The word of before is forgotten."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), PresenceReport("a", "offline"))
    router.play(gone("a", after_min=1), a_specialist("a", after_min=2), a_ticket("T1"))
    assert current_specialist_id(router) == "a"


def test_what_rings_is_withdrawn_from_who_goes_away() -> None:
    """At once, and it rings at somebody else; what was accepted stays."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1", channel="chat"), a_ticket("T2"))
    router.play(a_specialist("b"), PresenceReport("a", "away"))
    assert router.told(OfferWithdrawn) == ["offer.withdrawn a"]
    assert (current_specialist_id(router), current_specialist_id(router, "T2")) == ("b", "a")


@pytest.mark.parametrize("channel", ["email", "phone", "chat"])
def test_no_ticket_stays_with_who_is_offline_for_more_than_five_seconds(channel: Channel) -> None:
    """Whatever its channel; it keeps its age."""
    router = InMemoryRouter(rules=DIRECTLY)
    router.play(a_specialist("a"), a_ticket("T1", channel=channel), PresenceReport("a", "online"))
    due_at = router.tickets[ticket_id("T1")].due_at
    router.play(a_specialist("b"))
    router.later(seconds=15)
    router.wake()
    router.later(seconds=4.9)
    router.wake()
    assert current_specialist_id(router) == "b"
    assert router.told(AssignmentHandedBack) == ["assignment.handed_back a"]
    assert router.tickets[ticket_id("T1")].due_at == due_at


def test_a_mail_stays_with_who_comes_back_within_the_grace() -> None:
    """A browser that was loaded anew costs nobody their work."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1"), PresenceReport("a", "offline"))
    router.later(seconds=2)
    router.play(PresenceReport("a", "online"))
    router.later(seconds=10)
    router.wake()
    assert current_specialist_id(router) == "a"
    assert router.tickets[ticket_id("T1")].wakes_at is None


def test_a_word_said_again_does_not_prolong_the_grace() -> None:
    """It counts from when they went."""
    router = InMemoryRouter()
    router.play(a_specialist("a"), a_ticket("T1"), PresenceReport("a", "offline"))
    router.later(seconds=3)
    router.play(PresenceReport("a", "offline"))
    router.later(seconds=1)
    router.wake()
    assert current_specialist_id(router) is None


def test_who_leaves_may_hand_all_back_at_once() -> None:
    """By choice, whatever the grace."""
    router = InMemoryRouter(
        rules=OfferRules(rings={}, offline_s=Grace(email=None, phone=None, chat=None))
    )
    router.play(a_specialist("a"), a_ticket("T1"), a_specialist("b"))
    router.play(PresenceReport("a", "offline"))
    router.later(seconds=3600)
    router.wake()
    assert current_specialist_id(router) == "a"
    router.play(PresenceReport("a", "offline", hand_back=True))
    assert current_specialist_id(router) == "b"


def test_the_end_of_a_shift_takes_chats_at_once_and_mails_after_a_grace() -> None:
    """A quarter of an hour to finish what was begun."""
    router = InMemoryRouter(rules=DIRECTLY)
    router.play(a_specialist("d", shifts=DAY), a_ticket("T1"), a_ticket("T2", channel="chat"))
    router.now = NOON + timedelta(hours=5)
    router.wake()
    assert (current_specialist_id(router), current_specialist_id(router, "T2")) == ("d", None)
    router.later(seconds=15 * 60)
    router.wake()
    assert current_specialist_id(router) is None
