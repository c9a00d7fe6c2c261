"""The formats of times and durations on pages."""

from datetime import timedelta

import pytest

from shared.testing.builders import NOON, minutes
from shared.web.formatting import clock_time, left, span


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (7_500, "2 h 5 min"),
        (86_400, "1 d"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: float, expected: str) -> None:
    """Durations have at most two units and are rounded down."""
    assert span(seconds) == expected


@pytest.mark.parametrize(
    ("due_after_min", "expected"), [(12, "12 min left"), (0, "0 s left"), (-4, "4 min over")]
)
def test_time_left_and_time_over(due_after_min: float, expected: str) -> None:
    """The text has no sign."""
    assert left(NOON + minutes(due_after_min), NOON) == expected


@pytest.mark.parametrize(
    ("after", "zone", "expected"),
    [
        (timedelta(), "Europe/Berlin", "13:00 CET"),
        (timedelta(hours=12), "Europe/Berlin", "Tue 3 Mar 01:00 CET"),
        (timedelta(days=400), "UTC", "6 Apr 2027 12:00 UTC"),
    ],
)
def test_an_instant_is_shown_in_the_readers_time_zone(
    after: timedelta, zone: str, expected: str
) -> None:
    """With the zone; with the date if it is not today, and the year if it is far."""
    assert clock_time(NOON + after, zone, NOON) == expected
