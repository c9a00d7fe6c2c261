"""A timeline groups repeated expired offers."""

from datetime import timedelta
from typing import Any, Final
from uuid import uuid5

from shared.events import NAMESPACE, Envelope, Event, OfferExpired, TicketQueued, ticket_id_of
from shared.events.assignments import TicketOffered
from shared.testing.builders import NOON, a_ticket
from sla_monitor.api.schemas import FactEntry, timeline_answer
from sla_monitor.domain.replay import Learned

T1: Final = ticket_id_of("test", "T1")


def rings(second: int) -> list[Event]:
    """Make an offer that expires."""
    offer_id = uuid5(NAMESPACE, f"offer{second}")
    offered: dict[str, Any] = {
        "account_id": "northwind",
        "channel": "phone",
        "severity": "standard",
        "language": "en",
        "english_instead": False,
        "due_at": NOON,
        "lease_ends_at": NOON,
        "waited_ms": 0,
    }
    who: dict[str, Any] = {"ticket_id": T1, "specialist_id": "ann", "offer_id": offer_id}
    return [
        TicketOffered(**who, **offered),
        OfferExpired(**who),
        TicketQueued(ticket_id=T1, reason="no_answer"),
    ]


def learned(second: int, event: Event) -> Learned:
    """Make a fact, so many seconds after noon."""
    at = NOON + timedelta(seconds=second)
    return Learned(Envelope(uuid5(NAMESPACE, f"{event!r}{at}"), "router", at, event), at)


def test_three_expired_offers_are_one_entry() -> None:
    """It has the first and last time, and how many each specialist missed; others stay separate."""
    accepted = Learned(a_ticket("T1", channel="phone"), NOON)
    facts = [learned(10 * n + k, e) for n in range(1, 4) for k, e in enumerate(rings(n))]
    answer = timeline_answer(T1, [accepted, *facts], now=NOON + timedelta(minutes=1))
    entries = [entry for entry in answer.entries if isinstance(entry, FactEntry)]
    assert [entry.unanswered for entry in entries] == [{}, {"ann": 3}]
    [_, vain] = entries
    assert (vain.type, vain.at, vain.until) == (
        OfferExpired.type,
        NOON + timedelta(seconds=10),
        NOON + timedelta(seconds=32),
    )
    assert vain.event == rings(3)[1].model_dump(mode="json")
