"""Presence: which report counts, when it lapses, and which tickets are handed back then."""

from datetime import timedelta

import pytest
from tests.unit.router.assignments import InMemoryRouter, ticket_id

from router.domain.commands import PresenceReport
from router.domain.offers.rules import Grace, OfferRules
from shared.events import AssignmentHandedBack, OfferWithdrawn
from shared.sla.promises import Channel
from shared.testing.builders import NOON, a_specialist, a_ticket, removed

DIRECTLY = OfferRules(rings={})
DAY = {"zone": "UTC", "hours": {"mon-fri": ["09:00-17:00"]}}


def current_specialist_id(router: InMemoryRouter, name: str = "T1") -> str | None:
    """Return the specialist who has a ticket or is offered it."""
    return router.tickets[ticket_id(name)].current_specialist_id


def test_the_roster_presence_applies_until_the_first_report() -> None:
    """It applies for as long as the roster has it."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"))
    router.later(seconds=3600)
    router.apply(a_ticket("T1", after_min=60))
    assert current_specialist_id(router) == "a"


def test_a_reported_presence_lapses_to_offline() -> None:
    """After fifteen seconds without another report."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), PresenceReport("a", "online"))
    router.later(seconds=14.9)
    router.apply(a_ticket("T1"))
    assert current_specialist_id(router) == "a"
    router.later(seconds=0.1)
    router.apply(a_ticket("T2"))
    assert current_specialist_id(router, "T2") is None


def test_the_more_absent_presence_counts() -> None:
    """Neither a roster import nor an open browser gets tickets to a specialist who is away."""
    router = InMemoryRouter()
    router.apply(
        a_specialist("a"),
        PresenceReport("a", "away"),
        a_specialist("a", after_min=1),
        a_ticket("T1"),
    )
    assert current_specialist_id(router) is None
    router.apply(a_specialist("a", presence="away", after_min=2), PresenceReport("a", "online"))
    assert current_specialist_id(router) is None
    router.apply(a_specialist("a", after_min=3))
    assert current_specialist_id(router) == "a"


def test_a_specialist_who_comes_online_gets_tickets_at_once() -> None:
    """One report is enough."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), PresenceReport("a", "offline"), a_ticket("T1"))
    assert current_specialist_id(router) is None
    router.apply(PresenceReport("a", "online"))
    assert current_specialist_id(router) == "a"


def test_a_relisted_specialist_has_no_reported_presence() -> None:
    """The report from before the removal is deleted."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), PresenceReport("a", "offline"))
    router.apply(removed("a", after_min=1), a_specialist("a", after_min=2), a_ticket("T1"))
    assert current_specialist_id(router) == "a"


def test_an_offer_to_a_specialist_who_goes_away_is_withdrawn() -> None:
    """At once, and another is offered the ticket; accepted tickets stay."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1", channel="chat"), a_ticket("T2"))
    router.apply(a_specialist("b"), PresenceReport("a", "away"))
    assert router.events_about_specialists(OfferWithdrawn) == ["offer.withdrawn a"]
    assert (current_specialist_id(router), current_specialist_id(router, "T2")) == ("b", "a")


@pytest.mark.parametrize("channel", ["email", "phone", "chat"])
def test_no_ticket_stays_offline_for_more_than_five_seconds(channel: Channel) -> None:
    """On every channel; the ticket keeps its age."""
    router = InMemoryRouter(rules=DIRECTLY)
    router.apply(a_specialist("a"), a_ticket("T1", channel=channel), PresenceReport("a", "online"))
    due_at = router.tickets[ticket_id("T1")].due_at
    router.apply(a_specialist("b"))
    router.later(seconds=15)
    router.wake()
    router.later(seconds=4.9)
    router.wake()
    assert current_specialist_id(router) == "b"
    assert router.events_about_specialists(AssignmentHandedBack) == ["assignment.handed_back a"]
    assert router.tickets[ticket_id("T1")].due_at == due_at


def test_an_email_stays_with_a_specialist_who_returns_within_the_grace() -> None:
    """Reloading a browser costs no assigned ticket."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1"), PresenceReport("a", "offline"))
    router.later(seconds=2)
    router.apply(PresenceReport("a", "online"))
    router.later(seconds=10)
    router.wake()
    assert current_specialist_id(router) == "a"
    assert router.tickets[ticket_id("T1")].wakes_at is None


def test_a_repeated_report_does_not_extend_the_grace() -> None:
    """It counts from the first report of being offline."""
    router = InMemoryRouter()
    router.apply(a_specialist("a"), a_ticket("T1"), PresenceReport("a", "offline"))
    router.later(seconds=3)
    router.apply(PresenceReport("a", "offline"))
    router.later(seconds=1)
    router.wake()
    assert current_specialist_id(router) is None


def test_a_specialist_may_hand_back_all_tickets_at_once() -> None:
    """With `hand_back`, no grace applies."""
    router = InMemoryRouter(
        rules=OfferRules(rings={}, offline_s=Grace(email=None, phone=None, chat=None))
    )
    router.apply(a_specialist("a"), a_ticket("T1"), a_specialist("b"))
    router.apply(PresenceReport("a", "offline"))
    router.later(seconds=3600)
    router.wake()
    assert current_specialist_id(router) == "a"
    router.apply(PresenceReport("a", "offline", hand_back=True))
    assert current_specialist_id(router) == "b"


def test_the_end_of_a_shift_frees_chats_at_once_and_emails_after_a_grace() -> None:
    """A quarter of an hour is left to finish started tickets."""
    router = InMemoryRouter(rules=DIRECTLY)
    router.apply(a_specialist("d", shifts=DAY), a_ticket("T1"), a_ticket("T2", channel="chat"))
    router.now = NOON + timedelta(hours=5)
    router.wake()
    assert (current_specialist_id(router), current_specialist_id(router, "T2")) == ("d", None)
    router.later(seconds=15 * 60)
    router.wake()
    assert current_specialist_id(router) is None
