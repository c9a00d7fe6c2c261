"""From when on somebody will be there: one rule a test."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from router.domain.assignment.session import AssignmentSession
from router.domain.coverage import NEVER, OPEN, Outlook, Pool, outlooks, words
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from shared.events import Envelope, Event
from shared.testing.builders import NOON, a_specialist, removed

JA: Final = Pool("phone", "ja")
EVENING: Final = {"zone": "UTC", "hours": {"mon-fri": ["18:00-22:00"]}}
NIGHT: Final = {"zone": "UTC", "hours": {"mon-fri": ["20:00-23:00"]}}
AT_SIX: Final = NOON + timedelta(hours=6)


def outlook(*listed: Envelope[Event], at: datetime = NOON, pool: Pool = JA) -> Outlook:
    """Look out for a pool, with people as they were listed."""
    session = AssignmentSession(Roster([]), [], at, OfferRules())
    for envelope in listed:
        session.apply(envelope)
    return outlooks(session.state.roster.everybody.values(), [pool])[pool]


def speaker(name: str = "yui", **more: Any) -> Envelope[Event]:  # noqa: ANN401 - what a roster says
    """List somebody who speaks Japanese."""
    return a_specialist(name, **{"languages": ("ja-JP",), **more})


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([speaker()], Outlook(OPEN, "ja")),
        ([speaker(presence="offline")], Outlook(OPEN, "ja")),
        ([speaker(shifts=EVENING)], Outlook(AT_SIX, "ja")),
        ([speaker(shifts=EVENING), speaker("rin", shifts=NIGHT)], Outlook(AT_SIX, "ja")),
        ([speaker(shifts=EVENING), speaker("rin")], Outlook(OPEN, "ja")),
        ([speaker(shifts=EVENING), a_specialist("ann")], Outlook(AT_SIX, "ja")),
        ([a_specialist("ann", shifts=EVENING)], Outlook(AT_SIX, "en")),
        ([a_specialist("ann")], Outlook(OPEN, "en")),
        ([], Outlook(NEVER, "ja")),
        ([speaker(capacity={"email": 1})], Outlook(NEVER, "ja")),
        ([speaker(capacity={"phone": 0})], Outlook(NEVER, "ja")),
        ([speaker(universal={"capacity": 2, "weights": {"phone": 3}})], Outlook(NEVER, "ja")),
        ([speaker(certified=False)], Outlook(NEVER, "ja")),
        ([speaker(), removed("yui", after_min=1)], Outlook(NEVER, "ja")),
    ],
)
def test_somebody_is_there_who_serves_it_on_shift(
    listed: Sequence[Envelope[Event]], expected: Outlook
) -> None:
    """Channel, language, shift, room at all, certified; English where nobody speaks its own."""
    assert outlook(*listed) == expected


def test_a_shift_begins_by_the_wall_clock() -> None:
    """On the night before clocks go forward in Berlin, 09:00 comes an hour sooner."""
    morning = {"zone": "Europe/Berlin", "hours": {"sun": ["09:00-17:00"]}}
    saturday = datetime.fromisoformat("2026-03-28T12:00:00+00:00")
    found = outlook(speaker(shifts=morning), at=saturday)
    assert found.opens_at == datetime.fromisoformat("2026-03-29T07:00:00+00:00")


def test_nobody_comes_on_leave() -> None:
    """The shift after it is the next."""
    leave = [{"first": "2026-03-02", "last": "2026-03-03"}]
    found = outlook(speaker(shifts={**EVENING, "leave": leave}))
    assert found.opens_at == AT_SIX + timedelta(days=2)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Outlook(AT_SIX, "ja"), "no `ja` phone on shift before 18:00Z"),
        (
            Outlook(AT_SIX + timedelta(days=1), "ja"),
            "no `ja` phone on shift before 2026-03-03 18:00Z",
        ),
        (Outlook(NEVER, "ja"), "nobody on the roster takes phone in `ja`, nor in English"),
        (Outlook(NEVER, "en"), "nobody on the roster takes phone in `en`"),
    ],
)
def test_people_are_told_what_stands_in_the_way(found: Outlook, said: str) -> None:
    """The language, the channel, and from when on; with its day if that is another."""
    assert words("phone", found, NOON) == said
