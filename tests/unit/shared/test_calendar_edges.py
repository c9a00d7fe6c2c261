"""Business time to the microsecond, from starts before, within and after the open hours."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from shared.sla.calendars import business_week

MICROSECOND: Final = timedelta(microseconds=1)
MONDAY: Final = datetime(2026, 3, 2, tzinfo=UTC)
"""Open from Monday to Friday, 09:00 to 17:00."""


def at(days: int, hour: float) -> datetime:
    """Return an hour of the day so many days after the Monday."""
    return MONDAY + timedelta(days=days, hours=hour)


@pytest.mark.parametrize(
    ("start", "due_at"),
    [
        (at(0, 8), at(0, 10)),
        (at(0, 9), at(0, 10)),
        (at(0, 9) - MICROSECOND, at(0, 10)),
        (at(0, 9) + MICROSECOND, at(0, 10) + MICROSECOND),
        (at(0, 16), at(0, 17)),
        (at(0, 16) + MICROSECOND, at(1, 9) + MICROSECOND),
        (at(0, 17) - MICROSECOND, at(1, 10) - MICROSECOND),
        (at(0, 17), at(1, 10)),
        (at(0, 17) + MICROSECOND, at(1, 10)),
        (at(0, 20), at(1, 10)),
        (at(4, 20), at(7, 10)),
        (at(5, 12), at(7, 10)),
    ],
)
def test_an_hour_of_business_time_ends_to_the_microsecond(
    start: datetime, due_at: datetime
) -> None:
    """What is over at closing time is due then, not the next morning."""
    calendar = business_week("UTC")
    assert calendar.add_business(start, timedelta(hours=1)) == due_at
    assert calendar.business_between(start, due_at) == timedelta(hours=1)
