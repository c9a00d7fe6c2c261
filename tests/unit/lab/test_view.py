"""The demo's screen shows what happened, fits, and marks only problems."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from uuid import UUID, uuid4

import pytest
from rich.console import Console

from lab.demo.content import roster
from lab.demo.state import DemoState
from lab.demo.view import DemoStatus, draw
from shared.events import (
    AssignmentReleased,
    ClockMet,
    ClockStarted,
    ClockWarned,
    Envelope,
    Event,
    NotificationSent,
    PromiseBreached,
    PromiseRetracted,
    TicketAccepted,
    TicketAssigned,
    TicketDeclined,
)
from shared.testing.builders import promised

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
DUE_AT = NOON + timedelta(hours=1)
TICKET = UUID(int=1)
CLOCK = {
    "ticket_id": TICKET,
    "account_id": "alder-finch",
    "channel": "email",
    "severity": "standard",
    "kind": "first_response",
    "promise_class": "guarantee",
}
STARTED = ClockStarted(**CLOCK, due_at=DUE_AT)


@pytest.fixture
def state() -> DemoState:
    """Return a state with all specialists and no tickets."""
    empty = DemoState()
    empty.list_roster(roster())
    return empty


def apply(state: DemoState, *events: Event) -> None:
    """Apply events at noon."""
    for event in events:
        state.apply(Envelope(uuid4(), "test", NOON, event), NOON)


def screen(state: DemoState, *, width: int = 80, height: int = 24, silent_s: float = 0.1) -> str:
    """Draw the state on a terminal of that size, ten minutes after noon."""
    status = DemoStatus(
        business=NOON + timedelta(minutes=10),
        phase="midday",
        speed=600,
        day_part=0.5,
        events_per_s=412,
        silent_s=silent_s,
        behind={"intake": 0, "router": 3},
    )
    console = Console(width=width, height=height, file=StringIO(), record=True)
    console.print(draw(state, status, (), width=width), height=height)
    return console.export_text()


def accepted() -> TicketAccepted:
    """Accept a request of a super admin by email."""
    return TicketAccepted(
        ticket_id=TICKET,
        source="test",
        external_id="1",
        account_id="alder-finch",
        requester_id="admin-1",
        role="super_admin",
        channel="email",
        severity="standard",
        claimed_severity="standard",
        language="en",
        time_zone="UTC",
        policy="test",
        promises=promised(NOON),
    )


def assigned() -> TicketAssigned:
    """Assign it to the first specialist on the roster."""
    return TicketAssigned(
        ticket_id=TICKET,
        specialist_id=roster()[0].specialist_id,
        account_id="alder-finch",
        channel="email",
        severity="standard",
        language="en",
        english_instead=False,
        due_at=DUE_AT,
        waited_ms=0,
    )


def line_of(word: str, text: str) -> str:
    """Return the line that begins with a word."""
    return next(line for line in text.splitlines() if line.startswith(word))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_the_screen_fits(state: DemoState, width: int, height: int) -> None:
    """Nothing is cut off or wrapped, in a small terminal and in a large one."""
    lines = screen(state, width=width, height=height).splitlines()
    assert len(lines) <= height
    assert "…" not in "".join(lines)
    assert all(specialist.name in "".join(lines) for specialist in roster())


def test_a_request_waits_until_it_is_assigned(state: DemoState) -> None:
    """The queue counts by channel and language, with the oldest's age."""
    apply(state, accepted())
    assert line_of("email", screen(state)).split()[:2] == ["email", "1"]
    assert "10 min" in line_of("email", screen(state))
    apply(state, assigned())
    assert line_of("email", screen(state)).split()[:2] == ["email", "·"]
    assert "■" in screen(state)


def test_events_of_two_topics_may_arrive_in_any_order(state: DemoState) -> None:
    """A ticket whose assignment arrives before its request does not wait."""
    apply(state, assigned(), accepted())
    assert list(state.waiting()) == []


def test_a_declined_ticket_waits_again(state: DemoState) -> None:
    """It is removed from the specialist, and waits."""
    mara = roster()[0].specialist_id
    declined = TicketDeclined(ticket_id=TICKET, specialist_id=mara, reason="not mine")
    apply(state, accepted(), assigned(), declined)
    assert len(list(state.waiting())) == 1
    assert not state.specialists[mara].holds


def test_an_answered_ticket_has_no_specialist(state: DemoState) -> None:
    """A released ticket neither waits nor is assigned."""
    mara = roster()[0].specialist_id
    released = AssignmentReleased(ticket_id=TICKET, specialist_id=mara, cause="responded")
    apply(state, accepted(), assigned(), released)
    assert list(state.waiting()) == []
    assert not state.specialists[mara].holds


def test_promises_show_by_time_left(state: DemoState) -> None:
    """A promise of one hour has fifty minutes left after ten."""
    apply(state, STARTED)
    assert "■" in line_of("< 1 h", screen(state))


def test_a_warning_has_a_mark_and_a_text(state: DemoState) -> None:
    """Colour alone is not enough for many people."""
    apply(
        state, ClockStarted(**CLOCK, due_at=DUE_AT), ClockWarned(**CLOCK, percent=80, due_at=DUE_AT)
    )
    assert "▲" in line_of("< 1 h", screen(state))
    assert "▲ warned 1" in screen(state)


def test_a_retracted_breach_is_removed(state: DemoState) -> None:
    """A late fact removes the breach, and is shown as news."""
    apply(
        state,
        accepted(),
        ClockStarted(**CLOCK, due_at=DUE_AT),
        PromiseBreached(**CLOCK, due_at=DUE_AT),
    )
    assert "✖ breached 1" in screen(state)
    met = ClockMet(**CLOCK, due_at=DUE_AT, met_at=NOON, in_time=True)
    apply(state, met, PromiseRetracted(**CLOCK, retracted="breached", retracted_id=uuid4()))
    assert "✖ breached 0" in screen(state)
    assert "kept 1" in screen(state)
    assert "answered in time, reported late" in screen(state)


def test_a_silent_feed_is_reported(state: DemoState) -> None:
    """If no events arrive, the screen states it."""
    assert "no event for 7 s" in screen(state, silent_s=7)


def test_mails_and_refusals_are_counted(state: DemoState) -> None:
    """The screen shows both numbers."""
    sent = NotificationSent(
        ticket_id=TICKET,
        delivery_id=uuid4(),
        alert="assignment",
        recipient="mara.kowalski",
        medium="mail",
        attempts=1,
    )
    apply(state, sent)
    state.refuse(NOON, "intake", "bad_json")
    assert "mails sent 1" in screen(state)
    assert "intake refuses a message: bad_json" in screen(state)
