"""Business time in the demo: one function, written three ways, that must agree."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from premium.demo.pace import Pace

MIDNIGHT = datetime(2026, 3, 3, tzinfo=UTC)
STARTED_AT = datetime(2026, 11, 23, 8, 30, 12, 345678, tzinfo=UTC)
PACE = Pace(MIDNIGHT, STARTED_AT, timedelta(seconds=40))


def test_a_day_begins_at_midnight_and_lasts_as_long_as_asked() -> None:
    """Midnight is when the play starts, the next one after the time asked for."""
    assert PACE.business_at(STARTED_AT) == MIDNIGHT
    end = PACE.business_at(STARTED_AT + timedelta(seconds=40))
    assert abs(end - MIDNIGHT - timedelta(days=1)) < timedelta(seconds=1)


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(hours=30)))
def test_real_time_is_the_inverse_of_business_time(passed: timedelta) -> None:
    """There and back again, to within what a microsecond of play is worth."""
    business = MIDNIGHT + passed
    assert abs(PACE.business_at(PACE.real_at(business)) - business) < timedelta(seconds=0.1)


@given(st.floats(0, 60), st.floats(0, 60))
def test_business_time_never_goes_back(one_s: float, other_s: float) -> None:
    """A later moment in life is a later moment in the play."""
    first, second = (STARTED_AT + timedelta(seconds=s) for s in sorted((one_s, other_s)))
    assert PACE.business_at(first) <= PACE.business_at(second)


def test_the_scene_is_known_past_midnight_too() -> None:
    """What is left to do after the day is done in the evening's time."""
    assert PACE.scene_at(STARTED_AT + timedelta(seconds=90))[0] == "evening"
