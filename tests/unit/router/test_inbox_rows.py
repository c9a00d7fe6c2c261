"""What a row of the inbox shows of a ticket, and which of a specialist's rows is due next."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest

from router.domain.ticket_status import LifecycleState
from router.pages.rows import Row, row_of
from router.pages.views import Owner, SpecialistView
from shared.sla.promises import PromiseKind
from shared.testing.builders import NOON
from shared.tickets.due import CLOCKS_ADAPTER, ClockState, ClockView

HOUR = timedelta(hours=1)
SOON, LATER = NOON + HOUR, NOON + 2 * HOUR
OWNER = Owner("ana", "Ana", "online", on_shift=True, turns_at=None, zone="UTC")
A_TICKET: Final[dict[str, object]] = {
    "ticket_id": UUID(int=1),
    "account_id": "northwind",
    "channel": "email",
    "language": "en",
    "severity": "standard",
    "accepted": None,
    "confirmed": None,
    "clocks": b"{}",
    "state": "",
    "create_date": NOON,
    "answered_at": None,
    "asked_at": NOON,
    "specialist_id": "ana",
    "waiting": False,
    "pool": None,
    "pinned_to": None,
    "kept_for": None,
    "rings_at": None,
    "turn": 1,
    "version": 1,
}
"""What the store reads of a ticket that ana has."""


def a_clock(
    kind: PromiseKind = "first_response",
    due_at: datetime | None = SOON,
    state: ClockState = "running",
) -> ClockView:
    """Make a clock that runs since noon."""
    return ClockView(kind, "objective", NOON, due_at, 3600, state)


def a_row(*clocks: ClockView, number: int = 1, **more: Any) -> Row:  # noqa: ANN401 - of a record
    """Make the row of a ticket that ana has, as the store reads it."""
    by_kind: dict[str, ClockView] = {clock.kind: clock for clock in clocks}
    written = CLOCKS_ADAPTER.dump_json(by_kind)
    return row_of({**A_TICKET, "ticket_id": UUID(int=number), "clocks": written, **more})


def a_view(*mine: Row, offers: tuple[Row, ...] = ()) -> SpecialistView:
    """Make a page with these rows."""
    return SpecialistView(OWNER, offers=offers, mine=mine, waiting=(), done=())


@pytest.mark.parametrize("state", ["", "joined", "answered", "reached", "resolved", "closed"])
def test_a_row_shows_the_state_of_its_ticket(state: LifecycleState) -> None:
    """It is the state that the ticket's facts lead to."""
    assert a_row(state=state).state == state


@pytest.mark.parametrize(
    ("answered_at", "asked_at", "expected"),
    [(None, NOON, False), (SOON, None, False), (SOON, LATER, True)],
)
def test_a_row_shows_a_reply_once_the_ticket_was_answered(
    answered_at: datetime | None, asked_at: datetime | None, expected: bool
) -> None:
    """The first message of a customer is a request, not a reply."""
    assert a_row(answered_at=answered_at, asked_at=asked_at).replied is expected


def test_a_row_shows_the_clock_that_is_due_first() -> None:
    """What is due later has to wait."""
    row = a_row(a_clock("resolution", LATER), a_clock())
    assert (row.due_at, row.paused, row.since) == (SOON, False, NOON)


def test_a_row_of_a_paused_clock_shows_nothing_due() -> None:
    """Nothing runs while the ticket waits for a third party."""
    row = a_row(a_clock(due_at=None, state="paused"))
    assert (row.due_at, row.paused) == (None, True)


@pytest.mark.parametrize("state", ["resolved", "closed"])
def test_a_row_of_what_is_over_shows_no_resolution_due(state: LifecycleState) -> None:
    """The facts say so before the clock's record does."""
    resolution = a_clock("resolution")
    assert a_row(resolution).due_at == SOON
    assert a_row(resolution, state=state).due_at is None


@pytest.mark.parametrize(
    ("holder", "waiting", "offer", "done"),
    [
        (None, False, None, True),
        ("ana", False, None, False),
        (None, True, None, False),
        (None, False, UUID(int=9), False),
    ],
)
def test_a_row_is_done_when_it_is_with_no_one(
    holder: str | None, waiting: bool, offer: UUID | None, done: bool
) -> None:
    """Neither held, nor waiting, nor offered."""
    ringing = {"offer_id": offer, "offered_at": NOON, "lease_ends_at": SOON}
    assert row_of({**A_TICKET, **ringing, "specialist_id": holder, "waiting": waiting}).done is done


def test_the_next_due_row_is_the_earliest_of_offers_and_own_tickets() -> None:
    """On either list, wherever it stands."""
    early, late = a_row(a_clock(), number=1), a_row(a_clock(due_at=LATER), number=2)
    for desk in (
        a_view(early, late),
        a_view(late, early),
        a_view(late, offers=(early,)),
        a_view(early, offers=(late,)),
    ):
        assert desk.next_due == early


@pytest.mark.parametrize("state", ["joined", "answered", "reached", "resolved", "closed"])
def test_a_ticket_that_needs_no_answer_is_not_due_next(state: LifecycleState) -> None:
    """A chat that was joined still has a resolution due; the customer does not wait."""
    first = a_row(a_clock(due_at=NOON + HOUR / 2), number=1)
    settled = Row(**{name: getattr(first, name) for name in Row.__slots__} | {"state": state})
    assert settled.due_at is not None
    assert a_view(settled).next_due is None
    open_row = a_row(a_clock(due_at=LATER), number=2)
    assert a_view(settled, open_row).next_due == open_row


def test_nothing_is_due_next_where_no_row_has_a_due_time() -> None:
    """A paused ticket alone, or an empty page."""
    paused = a_row(a_clock(due_at=None, state="paused"))
    assert a_view(paused).next_due is None
    assert a_view().next_due is None


def test_of_two_rows_due_at_one_instant_the_first_is_next() -> None:
    """Offers come first, then own tickets, in the order of the page."""
    offered, own, other = (a_row(a_clock(), number=number) for number in (3, 2, 1))
    assert a_view(own, other, offers=(offered,)).next_due == offered
    assert a_view(own, other).next_due == own
