"""The demo's screen: what happened is on it, it fits, and it is calm when all is well."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from uuid import UUID, uuid4

import pytest
from rich.console import Console

from lab.demo.board import Board
from lab.demo.script import roster
from lab.demo.view import Pulse, draw
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
def board() -> Board:
    """Set up a board with everybody on it and nothing to do."""
    empty = Board()
    empty.list_roster(roster())
    return empty


def tell(board: Board, *events: Event) -> None:
    """Let events happen at noon."""
    for event in events:
        board.take(Envelope(uuid4(), "test", NOON, event), NOON)


def screen(board: Board, *, width: int = 80, height: int = 24, silent_s: float = 0.1) -> str:
    """Draw the board as a terminal of that size shows it, ten minutes past noon."""
    pulse = Pulse(
        business=NOON + timedelta(minutes=10),
        scene="midday",
        speed=600,
        day_part=0.5,
        events_per_s=412,
        silent_s=silent_s,
        behind={"intake": 0, "router": 3},
    )
    console = Console(width=width, height=height, file=StringIO(), record=True)
    console.print(draw(board, pulse, (), width=width), height=height)
    return console.export_text()


def accepted() -> TicketAccepted:
    """Take a request of a super admin by email."""
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
    """Give it to the first on the roster."""
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
    """Find the line that begins with a word."""
    return next(line for line in text.splitlines() if line.startswith(word))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40)])
def test_it_fits(board: Board, width: int, height: int) -> None:
    """Nothing is cut off or wrapped, in a small terminal and in a large one."""
    lines = screen(board, width=width, height=height).splitlines()
    assert len(lines) <= height
    assert "…" not in "".join(lines)
    assert all(specialist.name in "".join(lines) for specialist in roster())


def test_a_request_waits_until_somebody_has_it(board: Board) -> None:
    """The queue counts by channel and language, with the oldest's age."""
    tell(board, accepted())
    assert line_of("email", screen(board)).split()[:2] == ["email", "1"]
    assert "10 min" in line_of("email", screen(board))
    tell(board, assigned())
    assert line_of("email", screen(board)).split()[:2] == ["email", "·"]
    assert "■" in screen(board)


def test_topics_may_overtake_each_other(board: Board) -> None:
    """An assignment seen before its request leaves nobody waiting."""
    tell(board, assigned(), accepted())
    assert list(board.waiting()) == []


def test_a_declined_ticket_waits_again(board: Board) -> None:
    """Handing back frees the specialist, not the ticket."""
    mara = roster()[0].specialist_id
    declined = TicketDeclined(ticket_id=TICKET, specialist_id=mara, reason="not mine")
    tell(board, accepted(), assigned(), declined)
    assert len(list(board.waiting())) == 1
    assert not board.specialists[mara].holds


def test_an_answered_ticket_is_nobodys(board: Board) -> None:
    """Released means that it neither waits nor is held."""
    mara = roster()[0].specialist_id
    released = AssignmentReleased(ticket_id=TICKET, specialist_id=mara, cause="responded")
    tell(board, accepted(), assigned(), released)
    assert list(board.waiting()) == []
    assert not board.specialists[mara].holds


def test_promises_show_by_time_left(board: Board) -> None:
    """An hour's promise has fifty minutes left after ten."""
    tell(board, STARTED)
    assert "■" in line_of("< 1 h", screen(board))


def test_a_warning_has_a_mark_and_a_word(board: Board) -> None:
    """Amber alone says nothing to many people."""
    tell(
        board, ClockStarted(**CLOCK, due_at=DUE_AT), ClockWarned(**CLOCK, percent=80, due_at=DUE_AT)
    )
    assert "▲" in line_of("< 1 h", screen(board))
    assert "▲ warned 1" in screen(board)


def test_a_breach_is_taken_back_when_it_was_none(board: Board) -> None:
    """A late fact clears the board of the breach, and is news."""
    tell(
        board,
        accepted(),
        ClockStarted(**CLOCK, due_at=DUE_AT),
        PromiseBreached(**CLOCK, due_at=DUE_AT),
    )
    assert "✖ breached 1" in screen(board)
    met = ClockMet(**CLOCK, due_at=DUE_AT, met_at=NOON, in_time=True)
    tell(board, met, PromiseRetracted(**CLOCK, retracted="breached", retracted_id=uuid4()))
    assert "✖ breached 0" in screen(board)
    assert "kept 1" in screen(board)
    assert "answered in time, told late" in screen(board)


def test_silence_is_said(board: Board) -> None:
    """A screen that hears nothing says so, instead of looking alive."""
    assert "no event for 7 s" in screen(board, silent_s=7)


def test_mails_and_refusals_are_counted(board: Board) -> None:
    """What went out, and what could not be handled."""
    sent = NotificationSent(
        ticket_id=TICKET,
        delivery_id=uuid4(),
        alert="assignment",
        recipient="mara.kowalski",
        medium="mail",
        attempts=1,
    )
    tell(board, sent)
    board.refuse(NOON, "intake", "bad_json")
    assert "mails sent 1" in screen(board)
    assert "intake dead_letters a message: bad_json" in screen(board)
