"""Business time by example, as on a wall calendar."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from shared.sla.calendars import Calendar, CalendarSpec, Span, always, business_week

HOUR = timedelta(hours=1)
NIGHTS = {"mon-sun": ["22:00-06:00"]}
OFFICE = {"mon-fri": ["09:00-17:00"]}


def at(zone: str, *when: int) -> datetime:
    """Parse wall time; the first pass if a time occurs twice."""
    return datetime(*when, tzinfo=ZoneInfo(zone))  # type: ignore[arg-type,misc]


def calendar(zone: str = "Europe/Berlin", **content: Any) -> Calendar:  # noqa: ANN401 - as YAML gives it
    """Build a calendar; office hours by default."""
    return CalendarSpec.model_validate({"hours": OFFICE, **content}).bound(zone=zone)


@pytest.mark.parametrize(
    ("zone", "start", "hours", "due_at"),
    [
        ("Europe/Berlin", (2026, 3, 6, 16), 8, (2026, 3, 9, 16)),  # DOMAIN's own example
        ("Europe/Berlin", (2026, 3, 6, 16, 30), 1, (2026, 3, 9, 9, 30)),
        ("Europe/Berlin", (2026, 3, 6, 16), 1, (2026, 3, 6, 17)),  # the end, not Monday's nine
        ("Europe/Berlin", (2026, 3, 27, 16), 9, (2026, 3, 30, 17)),  # clocks went forward
        ("Europe/Berlin", (2026, 10, 23, 16), 9, (2026, 10, 26, 17)),  # and back
        ("America/New_York", (2026, 3, 6, 16), 9, (2026, 3, 9, 17)),
        ("America/New_York", (2026, 10, 30, 16), 9, (2026, 11, 2, 17)),
        ("Europe/Berlin", (2028, 2, 28, 16), 9, (2028, 2, 29, 17)),  # a leap day, a Tuesday
        ("Europe/Berlin", (2027, 2, 26, 16), 2, (2027, 3, 1, 10)),  # and none
        ("Europe/Berlin", (2026, 12, 31, 16), 2, (2027, 1, 1, 10)),  # the year ends on a Thursday
        ("Pacific/Apia", (2011, 12, 29, 16), 2, (2012, 1, 2, 10)),  # Friday never was
    ],
)
def test_office_hours(zone: str, start: Any, hours: int, due_at: Any) -> None:  # noqa: ANN401 - tuples
    """Hours count from nine to five of the wall clock, Monday to Friday."""
    assert business_week(zone).add_business(at(zone, *start), hours * HOUR) == at(zone, *due_at)


@pytest.mark.parametrize(
    ("evening", "hours"),
    [((2026, 3, 27), 8), ((2026, 3, 28), 7), ((2026, 10, 24), 9)],
)
def test_a_night_lasts_as_long_as_it_lasts(evening: Any, hours: int) -> None:  # noqa: ANN401 - tuples
    """From ten to six there are seven hours when clocks go forward, and nine when they go back."""
    opens = at("Europe/Berlin", *evening, 22)
    closes = at("Europe/Berlin", *evening[:2], evening[2] + 1, 6)
    night = calendar(hours=NIGHTS)
    assert night.business_between(opens, closes + HOUR) == hours * HOUR
    assert night.add_business(opens, hours * HOUR) == closes


def test_a_block_inside_the_repeated_hour_opens_twice() -> None:
    """Berlin's clocks show 02:10 to 02:20 twice on 25 October 2026, so it is open twice."""
    twice = calendar(hours={"sun": ["02:10-02:20"]})
    noon = datetime(2026, 10, 25, 12, tzinfo=UTC)
    opens = datetime(2026, 10, 25, 0, 10, tzinfo=UTC)
    length = timedelta(minutes=10)
    first, second = Span(opens, opens + length), Span(opens + HOUR, opens + HOUR + length)
    assert twice.spans(noon - 24 * HOUR, noon) == (first, second)


def test_a_block_inside_the_skipped_hour_never_opens() -> None:
    """Berlin's clocks never show 02:10 on 29 March 2026."""
    start = datetime(2026, 3, 29, tzinfo=UTC)
    never = calendar(hours={"sun": ["02:10-02:20"]})
    assert never.spans(start - 24 * HOUR, start + 24 * HOUR) == ()


def test_a_date_that_never_was_has_no_hours() -> None:
    """Samoa went from Thursday, 29 December 2011 to Saturday: a day and night shift lost Friday."""
    samoa = calendar("Pacific/Apia", hours={"mon-sun": ["00:00-24:00"]})
    start, end = at("Pacific/Apia", 2011, 12, 29), at("Pacific/Apia", 2012, 1, 1)
    assert samoa.spans(start, end) == (Span(start.astimezone(UTC), end.astimezone(UTC)),)
    assert samoa.business_between(start, end) == 48 * HOUR


def test_a_holiday_takes_the_blocks_that_begin_on_it() -> None:
    """The night into 1 May is worked to its end; the one that would begin on 1 May is not."""
    nights = calendar(hours=NIGHTS, holidays=["DE"])
    first_of_may = at("Europe/Berlin", 2026, 5, 1)
    assert nights.business_between(first_of_may, first_of_may + 24 * HOUR) == 6 * HOUR
    assert nights.business_between(first_of_may, first_of_may + 48 * HOUR) == 8 * HOUR


def test_a_subdivision_has_holidays_of_its_own() -> None:
    """Epiphany is a holiday in Bavaria, and a Tuesday in the rest of Germany."""
    epiphany = at("Europe/Berlin", 2026, 1, 6)
    used = [
        calendar(holidays=[region]).business_between(epiphany, epiphany + 24 * HOUR)
        for region in ("DE", "DE-BY")
    ]
    assert used == [8 * HOUR, 0 * HOUR]


def test_a_half_day_overrides_holiday_and_hours() -> None:
    """Christmas Eve ends at noon; a listed half-day opens even Christmas Day."""
    half_days = {"2026-12-24": ["09:00-12:00"], "2026-12-25": ["10:00-11:00"]}
    christmas = calendar(holidays=["DE"], half_days=half_days)
    eve = at("Europe/Berlin", 2026, 12, 24)
    assert christmas.business_between(eve, eve + 24 * HOUR) == 3 * HOUR
    assert christmas.business_between(eve + 24 * HOUR, eve + 48 * HOUR) == HOUR


def test_a_version_applies_to_blocks_that_begin_on_its_date() -> None:
    """A night under the old hours ends unchanged; fields that a version omits stay as before."""
    version = {"effective_from": "2026-06-02", "hours": {"mon-sun": ["08:00-09:00"]}}
    changed = calendar(hours=NIGHTS, closed=["2026-06-03"], versions=[version])
    day = at("Europe/Berlin", 2026, 6, 2)
    used = [changed.business_between(day, day + days * 24 * HOUR) for days in (1, 2, 3)]
    assert used == [7 * HOUR, 7 * HOUR, 8 * HOUR]


def test_a_calendar_that_becomes_always() -> None:
    """From the midnight of its version on everything counts, dates once closed included."""
    version = {"effective_from": "2026-06-02", "hours": "always"}
    becomes = calendar(closed=["2026-06-03"], versions=[version])
    day = at("Europe/Berlin", 2026, 6, 1)
    assert not becomes.is_always
    assert becomes.business_between(day, day + 72 * HOUR) == 56 * HOUR


def test_adjacent_blocks_are_one_span() -> None:
    """Before and after lunch without a lunch is one morning."""
    whole = calendar(hours={"mon": ["09:00-12:00", "12:00-17:00"]})
    monday = at("Europe/Berlin", 2026, 3, 2)
    assert len(whole.spans(monday, monday + 24 * HOUR)) == 1


def test_a_zero_duration_ends_at_its_start() -> None:
    """A duration of zero ends where it starts, open or not."""
    sunday = at("Europe/Berlin", 2026, 3, 8, 3)
    assert business_week("Europe/Berlin").add_business(sunday, 0 * HOUR) == sunday


@pytest.mark.parametrize(
    "content", [{"hours": "always"}, {"closed": [], "hours": {"mon": ["09:00-09:01"]}}]
)
def test_a_target_beyond_ten_years_is_refused(content: dict[str, Any]) -> None:
    """A target that never comes is refused."""
    with pytest.raises(ValueError, match="does not fit into ten years"):
        calendar(**content).add_business(at("UTC", 2026, 1, 1), 100_000 * HOUR)


def test_time_does_not_run_backwards() -> None:
    """A negative duration is refused; an end before the start gives zero."""
    friday = at("Europe/Berlin", 2026, 3, 6, 16)
    with pytest.raises(ValueError, match="backwards"):
        always().add_business(friday, -HOUR)
    assert business_week("Europe/Berlin").business_between(friday, friday - HOUR) == 0 * HOUR


def test_holidays_have_names() -> None:
    """A holiday can be named in explanations; half-days are not holidays."""
    named = calendar(
        holidays=["US"], closed=["2026-01-02"], half_days={"2026-01-19": ["09:00-10:00"]}
    )
    found = named.holidays_between(date(2026, 1, 1), date(2026, 1, 31))
    assert found == ((date(2026, 1, 1), "New Year's Day"), (date(2026, 1, 2), "closed"))
