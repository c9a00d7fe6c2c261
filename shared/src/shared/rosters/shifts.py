"""The shifts of a specialist: weekly blocks in their own time zone, except holidays and leave.

A shift has no gap: two adjacent blocks are one shift. No block begins on a holiday or a day of
leave; a night shift that began the day before is worked to its end.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Final, NamedTuple, override

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from shared.sla.calendars import Calendar, CalendarSpec, CalendarVersion, Span, known_zone
from shared.sla.calendars.hours import DAY_MIN, WEEKDAYS, Blocks, read_week
from shared.sla.calendars.spec import ACCOUNT, Hours, Regions

__all__ = [
    "Leave",
    "ShiftStatus",
    "Shifts",
    "any_on_shift",
    "next_shift_at",
    "on_shift",
    "shift_ends_at",
    "shift_status",
]

_SHIFT_H_MAX: Final = 16
_LEAVE_DAYS_MAX: Final = 3660
_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_SHIFT_MAX: Final = 4 * _DAY
"""Longer than any shift, even where the weekly blocks change."""
_LOOK_AHEAD: Final = (8 * _DAY, 64 * _DAY, 400 * _DAY)


class Leave(BaseModel):
    """Whole days off, the first and the last included, in the specialist's time zone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: date
    last: date

    @field_validator("last")
    @classmethod
    def _is_not_before_the_first(cls, last: date, info: ValidationInfo) -> date:
        first = info.data.get("first", last)
        if last < first:
            raise ValueError(f"{last} lies before the first day, {first}; exchange the two")
        if last - first > _LEAVE_DAYS_MAX * _DAY:
            raise ValueError(f"{last} is more than ten years after {first}; remove the specialist")
        return last

    def days(self) -> Iterator[date]:
        """Iterate over the days."""
        return (self.first + n * _DAY for n in range((self.last - self.first) // _DAY + 1))


def _apart(leave: tuple[Leave, ...]) -> tuple[Leave, ...]:
    ordered = tuple(sorted(leave, key=lambda one: one.first))
    for earlier, later in pairwise(ordered):
        if later.first <= earlier.last:
            both = f"leave until {earlier.last} and leave from {later.first}"
            raise ValueError(f"{both} overlap; merge them or separate them")
    return ordered


class Shifts(CalendarSpec):
    """The working hours of a specialist; one who works at any hour has no shifts at all."""

    zone: Annotated[str, AfterValidator(known_zone)] = Field()
    leave: Annotated[tuple[Leave, ...], AfterValidator(_apart)] = Field(
        default=(), exclude_if=lambda leave: not leave
    )

    @override
    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @field_validator("hours")
    @classmethod
    def _hours_are_humanly_possible(cls, hours: Hours) -> Hours:
        _refuse_impossible(hours)
        return hours

    @field_validator("versions")
    @classmethod
    def _versions_are_humanly_possible(
        cls, versions: tuple[CalendarVersion, ...]
    ) -> tuple[CalendarVersion, ...]:
        for version in versions:
            if version.hours is not None:
                _refuse_impossible(version.hours)
            _refuse_account(version.holidays or ())
        return versions

    @field_validator("holidays")
    @classmethod
    def _holidays_are_of_a_region(cls, holidays: Regions) -> Regions:
        _refuse_account(holidays)
        return holidays

    def calendar(self) -> Calendar:
        """Build the calendar of these shifts, in which days of leave are closed."""
        return _calendar(self)


class ShiftStatus(NamedTuple):
    """Whether a specialist is on shift, and until when this certainly does not change."""

    on_shift: bool
    until: datetime


def on_shift(shifts: Shifts | None, at: datetime) -> bool:
    """Return whether a specialist is on shift at an instant; without shifts they always are."""
    return shifts is None or bool(shifts.calendar().business_between(at, at + _MICROSECOND))


def shift_ends_at(shifts: Shifts, at: datetime) -> datetime | None:
    """Return when the shift that includes ``at`` ends, in UTC; None if off shift."""
    span = next(iter(shifts.calendar().spans(at, at + _SHIFT_MAX)), None)
    return span.closes if span is not None and span.opens == at else None


def next_shift_at(shifts: Shifts, at: datetime) -> datetime | None:
    """Return when the next shift after ``at`` begins, in UTC; None if none does in 400 days."""
    for ahead in _LOOK_AHEAD:
        spans: tuple[Span, ...] = shifts.calendar().spans(at, at + ahead)
        if later := [span.opens for span in spans if span.opens > at]:
            return later[0]
    return None


def shift_status(shifts: Shifts, at: datetime) -> ShiftStatus:
    """Return whether a specialist is on shift, and until when; off shift at most 400 days ahead."""
    if (end := shift_ends_at(shifts, at)) is not None:
        return ShiftStatus(on_shift=True, until=end)
    return ShiftStatus(on_shift=False, until=next_shift_at(shifts, at) or at + _LOOK_AHEAD[-1])


def any_on_shift(people: Iterable[Shifts | None], at: datetime) -> bool:
    """Return whether any of these specialists is on shift at an instant."""
    return any(on_shift(shifts, at) for shifts in people)


def _refuse_impossible(hours: Hours) -> None:
    """Raise ValueError for shifts without an end, or longer than _SHIFT_H_MAX hours."""
    if isinstance(hours, str):
        remedy = 'leave shifts out, or write "mon-fri": [09:00-17:00]'
        raise ValueError(f"shifts cannot be always; {remedy}")  # noqa: TRY004 - for pydantic
    first, span_min = _longest(read_week(hours))
    if span_min > _SHIFT_H_MAX * 60:
        raise ValueError(
            f"the shift that begins on {WEEKDAYS[first % 7]} is longer than {_SHIFT_H_MAX} hours; "
            "end it sooner, or leave shifts out"
        )


def _longest(week: tuple[Blocks, ...]) -> tuple[int, int]:
    """Return the first day of the longest shift, and its minutes; it may pass Sunday's midnight."""
    longest, begin, end = (0, 0), 0, -1
    for day in range(2 * len(week)):
        for opens, closes in week[day % 7]:
            begin = begin if day * DAY_MIN + opens <= end else day * DAY_MIN + opens
            end = day * DAY_MIN + closes
            longest = max(longest, (end - begin, -(begin // DAY_MIN)))
    return -longest[1], longest[0]


def _refuse_account(regions: Regions) -> None:
    if ACCOUNT in regions:
        raise ValueError("a specialist has no account; write their region, such as DE or DE-BY")


@lru_cache(maxsize=4096)
def _calendar(shifts: Shifts) -> Calendar:
    away = frozenset(day for leave in shifts.leave for day in leave.days())
    spec = CalendarSpec(
        hours=shifts.hours,
        holidays=shifts.holidays,
        closed=(*shifts.closed, *away),
        half_days={day: b for day, b in shifts.half_days.items() if day not in away},
        versions=tuple(_without(version, away) for version in shifts.versions),
    )
    return spec.bound(zone=shifts.zone)


def _without(version: CalendarVersion, away: frozenset[date]) -> CalendarVersion:
    """Apply leave to the closed and half days that a version sets; inherited ones have it."""
    closed, half_days = version.closed, version.half_days
    later = [day for day in away if day >= version.effective_from]
    return CalendarVersion(
        effective_from=version.effective_from,
        hours=version.hours,
        holidays=version.holidays,
        closed=None if closed is None else (*closed, *later),
        half_days=None
        if half_days is None
        else {day: blocks for day, blocks in half_days.items() if day not in away},
    )
