"""How pauses move a due time, and how warning points are read."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.sla.calendars import always
from shared.sla.promises import Pause, due_after_pauses, warn_at

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(minutes: int) -> datetime:
    """Return an instant so long after the start."""
    return START + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("pauses", "due_min"),
    [
        ([], 60),
        ([(10, 25)], 75),
        ([(0, 15)], 75),
        ([(-30, 15)], 75),
        ([(-30, -10)], 60),
        ([(-30, 0)], 60),
        ([(10, 20), (30, 50)], 90),
        ([(10, 20), (20, 30)], 80),
        ([(59, 89)], 90),
        ([(60, 90)], 60),
        ([(61, 90)], 60),
        ([(10, 20), (80, 90)], 70),
        ([(10, None)], None),
        ([(10, 20), (30, None)], None),
        ([(60, None)], 60),
        ([(61, None)], 60),
    ],
)
def test_a_pause_before_the_due_time_moves_it_by_its_length(
    pauses: list[tuple[int, int | None]], due_min: int | None
) -> None:
    """A pause that has not ended leaves nothing due; one that begins when it is due is late."""
    given = [Pause(at(since), None if until is None else at(until)) for since, until in pauses]
    expected = None if due_min is None else at(due_min)
    assert due_after_pauses(always(), START, HOUR, given) == expected


@pytest.mark.parametrize(
    ("point", "minutes"),
    [("1%", 0.6), ("50%", 30), ("99%", 59.4), ("15 min left", 45), ("59 min left", 1)],
)
def test_a_warning_point_is_a_part_of_the_target(point: str, minutes: float) -> None:
    """As a share of what is used up, or as what is left."""
    assert warn_at(point, HOUR) == timedelta(minutes=minutes)


@pytest.mark.parametrize("point", ["0%", "100%", "0 min left", "60 min left", "1 h left", "soon"])
def test_a_warning_point_lies_within_the_target(point: str) -> None:
    """Neither at its start nor at its end."""
    with pytest.raises(ValueError, match=r"past the target|no warning point"):
        warn_at(point, HOUR)
