"""Times in words: what a tired person reads."""

from datetime import timedelta

import pytest

from shared.testing.builders import NOON, minutes
from shared.web.formatting import clock_time, left, span


@pytest.mark.parametrize(
    ("seconds", "said"),
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
def test_a_span_has_the_two_units_that_matter(seconds: float, said: str) -> None:
    """Rounded down: nobody is promised a minute that they do not have."""
    assert span(seconds) == said


@pytest.mark.parametrize(
    ("due_after_min", "said"), [(12, "12 min left"), (0, "0 s left"), (-4, "4 min over")]
)
def test_what_is_left_and_what_is_over(due_after_min: float, said: str) -> None:
    """In words, without a sign."""
    assert left(NOON + minutes(due_after_min), NOON) == said


@pytest.mark.parametrize(
    ("after", "zone", "said"),
    [
        (timedelta(), "Europe/Berlin", "13:00 CET"),
        (timedelta(hours=12), "Europe/Berlin", "Tue 3 Mar 01:00 CET"),
        (timedelta(days=400), "UTC", "6 Apr 2027 12:00 UTC"),
    ],
)
def test_a_moment_is_told_by_the_readers_clock(after: timedelta, zone: str, said: str) -> None:
    """With the zone; with the day when it is another, with the year when it is far."""
    assert clock_time(NOON + after, zone, NOON) == said
