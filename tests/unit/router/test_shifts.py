"""Shifts, certificates, and room across channels, in one session."""

from datetime import timedelta
from typing import Final

from router.domain.assignment.session import AssignmentSession
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from shared.events import Envelope, Event, TicketAssigned, TicketQueued, TicketResponded
from shared.sla.promises import Channel
from shared.testing.builders import NOON, a_fact, a_specialist, a_ticket, minutes

DIRECTLY = OfferRules(rings={})
MORNING: Final = {"zone": "UTC", "hours": {"mon-fri": ["06:00-12:00"]}}
AFTERNOON: Final = {"zone": "UTC", "hours": {"mon-fri": ["12:30-18:00"]}}
DAY: Final = {"zone": "UTC", "hours": {"mon-fri": ["09:00-17:00"]}}
ROOMY: Final[dict[Channel, int]] = {"email": 4, "phone": 4, "chat": 4}


def after(*records: Envelope[Event]) -> AssignmentSession:
    """Apply records to an empty session at noon."""
    session = AssignmentSession(Roster([]), [], NOON, DIRECTLY)
    for record in records:
        session.apply(record)
    return session


def announced(session: AssignmentSession) -> list[str]:
    """Return which specialists got tickets, and why others wait."""
    events = [envelope.event for envelope in session.state.announced]
    recorded = [e for e in events if isinstance(e, TicketAssigned | TicketQueued)]
    return [e.specialist_id if isinstance(e, TicketAssigned) else e.reason for e in recorded]


def test_a_specialist_who_is_not_on_shift_gets_no_ticket() -> None:
    """Even if online: the shift has ended or not begun."""
    early, late = a_specialist("m", shifts=MORNING), a_specialist("a", shifts=AFTERNOON)
    assert announced(after(early, late, a_ticket("T1"))) == ["no_shift"]
    assert announced(after(early, late, a_specialist("d", shifts=DAY), a_ticket("T1"))) == ["d"]


def test_a_specialist_who_is_on_shift_but_away_gets_no_ticket() -> None:
    """A shift is planned, presence is actual: both are needed."""
    away = a_specialist("d", shifts=DAY, presence="away")
    assert announced(after(away, a_ticket("T1"))) == ["no_shift"]


def test_waiting_tickets_are_assigned_when_a_shift_begins() -> None:
    """By a timer alone; the next change of the shift is set then."""
    session = after(a_specialist("a", shifts=AFTERNOON), a_ticket("T1"))
    session.state.roster.commit()
    then = AssignmentSession(
        session.state.roster, session.state.tickets.values(), NOON + minutes(30), DIRECTLY
    )
    then.dispatcher.add_waiting(
        session.state.tickets.values(), dict.fromkeys(session.state.roster.pools, 9)
    )
    then.wake({})
    assert announced(then) == ["a"]
    assert [one.turns_at for one in then.state.shift_changed.values()] == [
        NOON + timedelta(hours=6)
    ]
    assert session.state.roster.due(NOON + minutes(31)) == []


def test_no_ticket_is_assigned_after_the_end_of_a_shift() -> None:
    """Assigned tickets stay."""
    session = after(a_specialist("d", shifts=DAY, capacity=ROOMY), a_ticket("T1"))
    session.state.roster.commit()
    then = AssignmentSession(
        session.state.roster, session.state.tickets.values(), NOON + timedelta(hours=5), DIRECTLY
    )
    then.wake({})
    then.apply(a_ticket("T2"))
    assert announced(then) == ["no_shift"]
    assert [t.specialist_id for t in then.state.tickets.values()] == ["d", None]


def test_a_specialist_who_is_not_certified_gets_no_ticket() -> None:
    """As if the roster had no specialist for the language."""
    trainee = a_specialist("t", languages=("ja",), certified=False)
    assert announced(after(trainee, a_ticket("T1", language="ja"))) == ["no_skill"]


def test_the_load_across_channels_is_weighted() -> None:
    """A call weighs three: after two e-mails there is room for a third, but not for a call."""
    one = a_specialist("w", capacity=ROOMY, universal={"capacity": 4, "weights": {"phone": 3}})
    tickets = [a_ticket("T1"), a_ticket("T2"), a_ticket("T3", channel="phone"), a_ticket("T4")]
    assert announced(after(one, *tickets)) == ["w", "w", "no_capacity", "w"]


def test_room_that_one_channel_frees_serves_another() -> None:
    """The earliest due ticket of all channels is assigned."""
    one = a_specialist("w", capacity=ROOMY, universal={"capacity": 1})
    chat, mail = a_ticket("T2", channel="chat", after_min=1), a_ticket("T3", after_min=0)
    session = after(one, a_ticket("T1"), mail, chat, a_fact(TicketResponded, "T1", after_min=2))
    assert announced(session) == ["w", "no_capacity", "no_capacity", "w"]
    assert [t.terms.channel for t in session.state.tickets.values() if t.specialist_id] == ["chat"]
