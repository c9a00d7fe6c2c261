"""Promises: DOMAIN's table, and business time at its edges."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sla.calendars import always, business_week
from shared.sla.promises import Channel, Pause, Role, Severity, due_after_pauses
from shared.testing.builders import promised

FRIDAY_16 = datetime(2026, 3, 6, 16, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("role", "channel", "severity", "kind", "promise_class", "target_min"),
    [
        ("super_admin", "email", "standard", "first_response", "guarantee", 60),
        ("super_admin", "email", "business_critical", "first_response", "guarantee", 30),
        ("seat", "email", "standard", "first_response", "objective", 480),
        ("seat", "email", "business_critical", "first_response", "objective", 480),
        ("seat", "phone", "standard", "callback", "objective", 5),
        ("super_admin", "chat", "standard", "join", "objective", 1),
    ],
)
def test_the_table_of_promises(
    role: Role, channel: Channel, severity: Severity, kind: str, promise_class: str, target_min: int
) -> None:
    """Role, channel and severity determine the promises."""
    (promise,) = promised(FRIDAY_16, role=role, channel=channel, severity=severity)
    assert (promise.kind, promise.promise_class) == (kind, promise_class)
    assert promise.target_s == target_min * 60


def test_one_business_day_from_friday_afternoon() -> None:
    """DOMAIN: a request at 16:00 on Friday is due at 16:00 on Monday."""
    due_at = business_week("Europe/Berlin").add_business(FRIDAY_16, timedelta(hours=8))
    assert due_at == FRIDAY_16 + timedelta(days=3)


def test_business_hours_keep_local_time_over_a_change_of_clocks() -> None:
    """Berlin changed to summer time on Sunday, 29 March 2026; Monday still opens at nine there."""
    friday = datetime(2026, 3, 27, 16, tzinfo=ZoneInfo("Europe/Berlin"))
    due_at = business_week("Europe/Berlin").add_business(friday, timedelta(hours=2))
    assert due_at == datetime(2026, 3, 30, 8, tzinfo=UTC)


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001 - the zone follows
    st.integers(1, 60 * 40),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo"]),
)
def test_adding_and_measuring_agree(moment: datetime, minutes: int, zone: str) -> None:
    """The working time between a start and its due time is the target."""
    start = moment.replace(tzinfo=UTC)
    for calendar in (business_week(zone), always()):
        target = timedelta(minutes=minutes)
        assert calendar.business_between(start, calendar.add_business(start, target)) == target


def test_a_pause_that_begins_before_the_start_counts_from_the_start() -> None:
    """The part of a pause before the create date is ignored."""
    start = datetime(2026, 3, 2, 12, tzinfo=UTC)
    pause = Pause(start - timedelta(minutes=5), start + timedelta(minutes=5))
    due_at = due_after_pauses(always(), start, timedelta(minutes=60), [pause])
    assert due_at == start + timedelta(minutes=65)
