"""The demo's business time covers the day, never runs back, and slows on a busy machine."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.demo.time_scale import TimeScale

MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
STARTED_AT = datetime(2026, 11, 23, 8, 30, 12, 345678, tzinfo=UTC)
DAY = timedelta(seconds=40)
SCALE = TimeScale.of_a_day(MIDNIGHT, STARTED_AT, DAY)
SECOND = timedelta(seconds=1)

moments = st.timedeltas(min_value=timedelta(), max_value=2 * DAY).map(lambda t: STARTED_AT + t)
latencies = st.timedeltas(min_value=timedelta(milliseconds=1), max_value=10 * SECOND)


@st.composite
def scales(draw: st.DrawFn) -> TimeScale:
    """Draw a day with some slow-downs."""
    scale = SCALE
    for at in sorted(draw(st.lists(moments, max_size=4))):
        scale = scale.slowed(at, draw(latencies))
    return scale


def test_a_day_lasts_as_long_as_asked() -> None:
    """The day begins at the start of the demo, and lasts the requested time."""
    assert SCALE.business_at(STARTED_AT) == MIDNIGHT
    assert abs(SCALE.business_at(STARTED_AT + DAY) - MIDNIGHT - timedelta(days=1)) < SECOND


@given(scales(), moments)
def test_real_time_is_the_inverse_of_business_time(scale: TimeScale, real: datetime) -> None:
    """The conversion there and back is exact to some microseconds."""
    assert abs(scale.real_at(scale.business_at(real)) - real) < SECOND / 1000


@given(scales(), moments, moments)
def test_business_time_never_goes_back(scale: TimeScale, one: datetime, other: datetime) -> None:
    """A later real time gives a later business time."""
    assert scale.business_at(min(one, other)) <= scale.business_at(max(one, other))


@given(scales(), moments, latencies)
def test_slowing_down_changes_nothing_before(
    scale: TimeScale, at: datetime, latency: timedelta
) -> None:
    """Both scales agree up to the change, and there is no gap."""
    slowed = scale.slowed(at, latency)
    assert abs(slowed.business_at(at) - scale.business_at(at)) < SECOND
    assert slowed.business_at(STARTED_AT) == scale.business_at(STARTED_AT)


@pytest.mark.parametrize(("latency_ms", "longer"), [(1, 1), (10_000, 4)])
def test_a_busy_machine_gets_more_time(latency_ms: int, longer: float) -> None:
    """A fast system has the planned day; a slow one takes at most four times as long."""
    slowed = SCALE.slowed(STARTED_AT, timedelta(milliseconds=latency_ms))
    ends = slowed.real_at(MIDNIGHT + timedelta(days=1))
    assert abs((ends - STARTED_AT) / DAY - longer) < 0.01


def test_the_last_phase_continues_past_midnight() -> None:
    """Work after the end of the day runs at the evening's speed."""
    assert SCALE.phase_at(STARTED_AT + 2 * DAY)[0] == "evening"
