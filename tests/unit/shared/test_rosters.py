"""Shifts of people: whatever clocks do, they are what the wall shows, less holidays and leave."""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.rosters import (
    Shifts,
    any_on_shift,
    known_language,
    next_shift_at,
    on_shift,
    shift_ends_at,
    shift_status,
)

MICROSECOND: Final = timedelta(microseconds=1)
DAY: Final = timedelta(days=1)
SUNDAY: Final = 6
BLOCKS: Final = {  # minutes of the wall clock; a night reaches into the next date
    "02:15-02:45": (135, 165),
    "09:00-17:30": (540, 1050),
    "21:00-03:00": (1260, 1620),
}
ZONES: Final = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
)
MOMENTS: Final = st.integers(0, 20 * 365 * 1440).map(
    lambda minutes: datetime(2016, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
"""Twenty years of them; a clock is never moved within a minute."""


def berlin(**changes: object) -> Shifts:
    """Work Monday to Friday, 09:00-17:00 in Berlin."""
    plain = {"zone": "Europe/Berlin", "hours": {"mon-fri": ["09:00-17:00"]}}
    return Shifts.model_validate({**plain, **changes})


def at(text: str) -> datetime:
    """Read a moment of Berlin's wall clock."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"))


@given(
    zone=st.sampled_from(ZONES),
    block=st.sampled_from(sorted(BLOCKS)),
    moment=MOMENTS,
    away=st.integers(-2, 2),
)
@example("Europe/Berlin", "21:00-03:00", datetime(2026, 3, 29, 0, 30, tzinfo=UTC), 2)
@example("Europe/Berlin", "02:15-02:45", datetime(2026, 10, 25, 1, 20, tzinfo=UTC), 2)
@example("America/Sao_Paulo", "21:00-03:00", datetime(2018, 11, 4, 2, 59, tzinfo=UTC), 0)
def test_a_shift_is_what_the_wall_clock_shows(
    zone: str, block: str, moment: datetime, away: int
) -> None:
    """Also when an hour is missing or comes twice; on leave, no block begins."""
    info, (opens, closes) = ZoneInfo(zone), BLOCKS[block]
    off = moment.astimezone(info).date() + away * DAY
    shifts = Shifts.model_validate(
        {
            "zone": zone,
            "hours": {"mon-sat": [block]},
            "leave": [{"first": str(off), "last": str(off)}],
        }
    )
    wall = moment.astimezone(info)
    minute = wall.hour * 60 + wall.minute

    def begins(day: date) -> bool:
        return day.weekday() != SUNDAY and day != off

    expected = (begins(wall.date()) and opens <= minute < closes) or (
        begins(wall.date() - DAY) and opens <= minute + 1440 < closes
    )
    assert on_shift(shifts, moment) == expected


@given(zone=st.sampled_from(ZONES), block=st.sampled_from(sorted(BLOCKS)), moment=MOMENTS)
def test_nothing_changes_before_the_next_turn(zone: str, block: str, moment: datetime) -> None:
    """Up to its last microsecond it is as it was, and then it is not."""
    shifts = Shifts.model_validate({"zone": zone, "hours": {"mon-sun": [block]}})
    found = shift_status(shifts, moment)
    assert found.on_shift == on_shift(shifts, moment) == on_shift(shifts, found.until - MICROSECOND)
    assert on_shift(shifts, found.until) != found.on_shift
    ends = shift_ends_at(shifts, moment)
    assert found.until == (ends if found.on_shift else next_shift_at(shifts, moment))


def test_two_blocks_that_meet_are_one_shift() -> None:
    """Over midnight too; the pause between two is no shift."""
    shifts = berlin(hours={"mon": ["09:00-12:00", "13:00-24:00"], "tue": ["00:00-02:00"]})
    assert shift_ends_at(shifts, at("2026-03-02T13:00")) == at("2026-03-03T02:00")
    assert shift_ends_at(shifts, at("2026-03-02T12:30")) is None
    assert next_shift_at(shifts, at("2026-03-02T12:00")) == at("2026-03-02T13:00")


def test_leave_counts_in_whatever_version_holds() -> None:
    """A new rota, and its half-days, change nothing about who is away."""
    shifts = berlin(
        closed=["2026-03-02"],
        half_days={"2026-03-04": ["09:00-12:00"]},
        versions=[
            {
                "effective_from": "2026-03-05",
                "closed": [],
                "half_days": {"2026-03-06": ["09:00-10:00"]},
            }
        ],
        leave=[{"first": "2026-03-03", "last": "2026-03-06"}],
    )
    assert next_shift_at(shifts, at("2026-03-01T00:00")) == at("2026-03-09T09:00")


def test_leave_of_years_is_looked_at_again() -> None:
    """Nothing begins within 400 days; that is when to ask anew."""
    shifts = berlin(leave=[{"first": "2026-01-01", "last": "2028-12-31"}])
    moment = at("2026-03-02T12:00")
    assert next_shift_at(shifts, moment) is None
    assert shift_status(shifts, moment) == (False, moment + 400 * DAY)


def test_holidays_of_the_region_are_free() -> None:
    """Good Friday of 2026 in Berlin."""
    shifts = berlin(holidays=["DE-BE"])
    assert not on_shift(shifts, at("2026-04-03T10:00"))


def test_who_has_no_shifts_covers_any_instant() -> None:
    """And of the others, it takes one who works."""
    night = at("2026-03-02T23:00")
    assert not any_on_shift([berlin(), berlin(hours={"mon": ["06:00-14:00"]})], night)
    assert any_on_shift([berlin(), berlin(hours={"mon": ["22:00-06:00"]})], night)
    assert any_on_shift([berlin(), None], night)


def test_twelve_hours_a_day_and_on_into_the_next_are_one_stretch() -> None:
    """Also where Sunday's night meets Monday's morning; 16 hours are the most."""
    longest = {"sun": ["18:00-02:00"], "mon": ["02:00-10:00"]}
    assert on_shift(berlin(hours=longest), at("2026-03-02T09:59"))
    with pytest.raises(ValidationError, match="begins on sun goes on for more than 16 hours"):
        berlin(hours={**longest, "mon": ["02:00-10:01"]})


@pytest.mark.parametrize(
    ("tag", "hint"),
    [
        ("english", "did you mean 'en'?"),
        ("jp", "did you mean 'ja'?"),
        ("DE", "did you mean 'de'?"),
        ("xx", "write a code such as en, de or pt-BR"),
    ],
)
def test_an_unknown_language_is_refused_with_what_was_meant(tag: str, hint: str) -> None:
    """Regions may be whatever they are."""
    assert known_language("pt-BR") == "pt-BR"
    with pytest.raises(ValueError, match="unknown language") as refused:
        known_language(tag)
    assert str(refused.value).endswith(hint)
