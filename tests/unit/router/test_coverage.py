"""Coverage: when a qualified specialist is next on shift, one rule in each test."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from router.domain.assignment.session import AssignmentSession
from router.domain.coverage import (
    COVERED_NOW,
    NEVER,
    Coverage,
    LanguageQueue,
    coverage_of,
)
from router.domain.offers.rules import OfferRules
from router.domain.roster import Roster
from shared.events import Envelope, Event
from shared.testing.builders import NOON, a_specialist, removed

JA: Final = LanguageQueue("phone", "ja")
EVENING: Final = {"zone": "UTC", "hours": {"mon-fri": ["18:00-22:00"]}}
NIGHT: Final = {"zone": "UTC", "hours": {"mon-fri": ["20:00-23:00"]}}
AT_SIX: Final = NOON + timedelta(hours=6)


def coverage(*listed: Envelope[Event], at: datetime = NOON, queue: LanguageQueue = JA) -> Coverage:
    """Return the coverage of a queue by the listed specialists."""
    session = AssignmentSession(Roster([]), [], at, OfferRules())
    for envelope in listed:
        session.apply(envelope)
    return coverage_of(session.state.roster.specialists.values(), [queue])[queue]


def speaker(name: str = "yui", **more: Any) -> Envelope[Event]:  # noqa: ANN401 - fields of a roster entry
    """List a specialist who speaks Japanese."""
    return a_specialist(name, **{"languages": ("ja-JP",), **more})


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([speaker()], Coverage(COVERED_NOW, "ja")),
        ([speaker(presence="offline")], Coverage(COVERED_NOW, "ja")),
        ([speaker(shifts=EVENING)], Coverage(AT_SIX, "ja")),
        ([speaker(shifts=EVENING), speaker("rin", shifts=NIGHT)], Coverage(AT_SIX, "ja")),
        ([speaker(shifts=EVENING), speaker("rin")], Coverage(COVERED_NOW, "ja")),
        ([speaker(shifts=EVENING), a_specialist("ann")], Coverage(AT_SIX, "ja")),
        ([a_specialist("ann", shifts=EVENING)], Coverage(AT_SIX, "en")),
        ([a_specialist("ann")], Coverage(COVERED_NOW, "en")),
        ([], Coverage(NEVER, "ja")),
        ([speaker(capacity={"email": 1})], Coverage(NEVER, "ja")),
        ([speaker(capacity={"phone": 0})], Coverage(NEVER, "ja")),
        ([speaker(universal={"capacity": 2, "weights": {"phone": 3}})], Coverage(NEVER, "ja")),
        ([speaker(certified=False)], Coverage(NEVER, "ja")),
        ([speaker(), removed("yui", after_min=1)], Coverage(NEVER, "ja")),
    ],
)
def test_coverage_needs_a_qualified_specialist_on_shift(
    listed: Sequence[Envelope[Event]], expected: Coverage
) -> None:
    """Channel, language, shift, capacity and certification count; English if it has no speaker."""
    assert coverage(*listed) == expected


def test_a_shift_begins_at_local_time() -> None:
    """On the night before the clocks go forward in Berlin, 09:00 comes an hour earlier."""
    morning = {"zone": "Europe/Berlin", "hours": {"sun": ["09:00-17:00"]}}
    saturday = datetime.fromisoformat("2026-03-28T12:00:00+00:00")
    found = coverage(speaker(shifts=morning), at=saturday)
    assert found.opens_at == datetime.fromisoformat("2026-03-29T07:00:00+00:00")


def test_leave_is_no_coverage() -> None:
    """Coverage begins with the shift after the leave."""
    leave = [{"first": "2026-03-02", "last": "2026-03-03"}]
    found = coverage(speaker(shifts={**EVENING, "leave": leave}))
    assert found.opens_at == AT_SIX + timedelta(days=2)
