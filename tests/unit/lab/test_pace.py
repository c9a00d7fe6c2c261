"""Business time in the demo: it fits the day, never runs back, and waits for a busy machine."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.demo.pace import Pace

MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
STARTED_AT = datetime(2026, 11, 23, 8, 30, 12, 345678, tzinfo=UTC)
DAY = timedelta(seconds=40)
PACE = Pace.of_a_day(MIDNIGHT, STARTED_AT, DAY)
SECOND = timedelta(seconds=1)

moments = st.timedeltas(min_value=timedelta(), max_value=2 * DAY).map(lambda t: STARTED_AT + t)
latencies = st.timedeltas(min_value=timedelta(milliseconds=1), max_value=10 * SECOND)


@st.composite
def paces(draw: st.DrawFn) -> Pace:
    """Draw a day that was slowed down now and then."""
    pace = PACE
    for at in sorted(draw(st.lists(moments, max_size=4))):
        pace = pace.braked(at, draw(latencies))
    return pace


def test_a_day_lasts_as_long_as_asked() -> None:
    """Midnight is when the play starts, the next one after the time asked for."""
    assert PACE.business_at(STARTED_AT) == MIDNIGHT
    assert abs(PACE.business_at(STARTED_AT + DAY) - MIDNIGHT - timedelta(days=1)) < SECOND


@given(paces(), moments)
def test_real_time_is_the_inverse_of_business_time(pace: Pace, real: datetime) -> None:
    """There and back again, to within what some microseconds are worth."""
    assert abs(pace.real_at(pace.business_at(real)) - real) < SECOND / 1000


@given(paces(), moments, moments)
def test_business_time_never_goes_back(pace: Pace, one: datetime, other: datetime) -> None:
    """A later moment in life is a later moment in the play."""
    assert pace.business_at(min(one, other)) <= pace.business_at(max(one, other))


@given(paces(), moments, latencies)
def test_slowing_down_changes_nothing_before(pace: Pace, at: datetime, latency: timedelta) -> None:
    """Up to the moment of the change, both paces say the same; no time is skipped there."""
    braked = pace.braked(at, latency)
    assert abs(braked.business_at(at) - pace.business_at(at)) < SECOND
    assert braked.business_at(STARTED_AT) == pace.business_at(STARTED_AT)


@pytest.mark.parametrize(("latency_ms", "longer"), [(1, 1), (10_000, 4)])
def test_a_busy_machine_gets_more_time(latency_ms: int, longer: float) -> None:
    """A fast system plays the day as planned; a slow one at most four times as slowly."""
    braked = PACE.braked(STARTED_AT, timedelta(milliseconds=latency_ms))
    ends = braked.real_at(MIDNIGHT + timedelta(days=1))
    assert abs((ends - STARTED_AT) / DAY - longer) < 0.01


def test_the_scene_is_known_past_midnight_too() -> None:
    """What is left to do after the day is done in the evening's time."""
    assert PACE.scene_at(STARTED_AT + 2 * DAY)[0] == "evening"
