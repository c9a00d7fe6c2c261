"""Shifts, certificates, and room across channels, in one session."""

from datetime import timedelta
from typing import Final

from router.domain.assignment.session import AssignmentSession
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from shared.events import Envelope, Event, TicketAssigned, TicketQueued, TicketResponded
from shared.sla.promises import Channel
from shared.testing.builders import NOON, a_specialist, a_ticket, minutes, told

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


def said(session: AssignmentSession) -> list[str]:
    """Read who got a ticket, and why another waits."""
    events = [envelope.event for envelope in session.state.announced]
    told_of = [e for e in events if isinstance(e, TicketAssigned | TicketQueued)]
    return [e.specialist_id if isinstance(e, TicketAssigned) else e.reason for e in told_of]


def test_who_is_not_on_shift_gets_nothing() -> None:
    """Though online: the shift ended at noon, or has not begun."""
    early, late = a_specialist("m", shifts=MORNING), a_specialist("a", shifts=AFTERNOON)
    assert said(after(early, late, a_ticket("T1"))) == ["no_shift"]
    assert said(after(early, late, a_specialist("d", shifts=DAY), a_ticket("T1"))) == ["d"]


def test_who_is_on_shift_and_away_gets_nothing() -> None:
    """A shift says who should be there, presence who is."""
    away = a_specialist("d", shifts=DAY, presence="away")
    assert said(after(away, a_ticket("T1"))) == ["no_shift"]


def test_a_shift_that_begins_takes_who_waits() -> None:
    """Nothing else need happen; and it is known when the next turn is due."""
    session = after(a_specialist("a", shifts=AFTERNOON), a_ticket("T1"))
    session.state.roster.commit()
    then = AssignmentSession(
        session.state.roster, session.state.tickets.values(), NOON + minutes(30), DIRECTLY
    )
    then.dispatcher.add_waiting(
        session.state.tickets.values(), dict.fromkeys(session.state.roster.pools, 9)
    )
    then.wake({})
    assert said(then) == ["a"]
    assert [one.turns_at for one in then.state.shift_changed.values()] == [
        NOON + timedelta(hours=6)
    ]
    assert session.state.roster.due(NOON + minutes(31)) == []


def test_a_shift_that_ends_gives_nothing_more() -> None:
    """What is held stays where it is."""
    session = after(a_specialist("d", shifts=DAY, capacity=ROOMY), a_ticket("T1"))
    session.state.roster.commit()
    then = AssignmentSession(
        session.state.roster, session.state.tickets.values(), NOON + timedelta(hours=5), DIRECTLY
    )
    then.wake({})
    then.apply(a_ticket("T2"))
    assert said(then) == ["no_shift"]
    assert [t.specialist_id for t in then.state.tickets.values()] == ["d", None]


def test_who_is_not_certified_gets_nothing() -> None:
    """As if they were not on the roster: nobody serves the language."""
    trainee = a_specialist("t", languages=("ja",), certified=False)
    assert said(after(trainee, a_ticket("T1", language="ja"))) == ["no_skill"]


def test_room_across_channels_is_weighed() -> None:
    """A call weighs three: after two mails there is room for a third mail, and for no call."""
    one = a_specialist("w", capacity=ROOMY, universal={"capacity": 4, "weights": {"phone": 3}})
    tickets = [a_ticket("T1"), a_ticket("T2"), a_ticket("T3", channel="phone"), a_ticket("T4")]
    assert said(after(one, *tickets)) == ["w", "w", "no_capacity", "w"]


def test_room_freed_on_one_channel_goes_to_another() -> None:
    """The earliest due of all channels comes first."""
    one = a_specialist("w", capacity=ROOMY, universal={"capacity": 1})
    chat, mail = a_ticket("T2", channel="chat", after_min=1), a_ticket("T3", after_min=0)
    session = after(one, a_ticket("T1"), mail, chat, told(TicketResponded, "T1", after_min=2))
    assert said(session) == ["w", "no_capacity", "no_capacity", "w"]
    assert [t.terms.channel for t in session.state.tickets.values() if t.specialist_id] == ["chat"]
