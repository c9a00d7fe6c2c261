"""A calendar's specification, as written in a policy and carried by events."""

from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Literal, Self, override

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from shared.sla.calendars.arithmetic import Calendar, Era
from shared.sla.calendars.hours import days_of, read_block, read_day, read_week
from shared.sla.calendars.regions import known_region
from shared.sla.calendars.zones import known_zone

__all__ = ["CalendarSpec", "CalendarVersion", "Hours", "always", "business_week"]

ACCOUNT = "account"
"""A placeholder for the zone or the region of the ticket's account."""


def _block(text: str) -> str:
    read_block(text)
    return text


def _day(blocks: tuple[str, ...]) -> tuple[str, ...]:
    read_day(blocks)
    return blocks


def _week(hours: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Validate the hours, and sort the days, so that equal weeks are equal text."""
    read_week(hours)
    return dict(sorted(hours.items(), key=lambda item: days_of(item[0])))


def _half_days(days: dict[date, tuple[str, ...]]) -> dict[date, tuple[str, ...]]:
    for day, blocks in days.items():
        if not blocks:
            raise ValueError(f"{day} has no block; to close the whole day, list it under closed")
    return dict(sorted(days.items()))


def _zone(name: str) -> str:
    return name if name == ACCOUNT else known_zone(name)


def _region(code: str) -> str:
    return code if code == ACCOUNT else known_region(code)


def _form_of_hours(hours: object) -> str:
    return "always" if isinstance(hours, str) else "week"


type BlockText = Annotated[str, AfterValidator(_block)]
type DayText = Annotated[tuple[BlockText, ...], AfterValidator(_day)]
type WeekText = Annotated[dict[str, DayText], AfterValidator(_week)]
type Hours = Annotated[
    Annotated[Literal["always"], Tag("always")] | Annotated[WeekText, Tag("week")],
    Discriminator(_form_of_hours),
]
type Regions = tuple[Annotated[str, AfterValidator(_region)], ...]
type Dates = Annotated[tuple[date, ...], AfterValidator(lambda dates: tuple(sorted(set(dates))))]
type HalfDays = Annotated[dict[date, DayText], AfterValidator(_half_days)]


class CalendarVersion(BaseModel):
    """Changed rules from a date on. Fields that are left out keep their previous value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    effective_from: date
    hours: Hours | None = Field(default=None, exclude_if=lambda hours: hours is None)
    holidays: Regions | None = Field(default=None, exclude_if=lambda regions: regions is None)
    closed: Dates | None = Field(default=None, exclude_if=lambda dates: dates is None)
    half_days: HalfDays | None = Field(default=None, exclude_if=lambda days: days is None)

    @model_validator(mode="after")
    def _dates_are_its_own(self) -> Self:
        for day in (*(self.closed or ()), *(self.half_days or ())):
            if day < self.effective_from:
                raise ValueError(
                    f"{day} lies before effective_from; list it in the rules before that date"
                )
        return self


class CalendarSpec(BaseModel):
    """When business time counts. Equal specs serialise to equal text, without defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hours: Hours
    zone: Annotated[str, AfterValidator(_zone)] = Field(
        default=ACCOUNT, exclude_if=lambda zone: zone == ACCOUNT
    )
    holidays: Regions = Field(default=(), exclude_if=lambda regions: not regions)
    closed: Dates = Field(default=(), exclude_if=lambda dates: not dates)
    half_days: HalfDays = Field(default_factory=dict, exclude_if=lambda days: not days)
    versions: tuple[CalendarVersion, ...] = Field(default=(), exclude_if=lambda found: not found)

    @override
    def __hash__(self) -> int:
        return hash(self.model_dump_json())

    @model_validator(mode="after")
    def _versions_are_in_order(self) -> Self:
        dates = [version.effective_from for version in self.versions]
        for earlier, later in pairwise(dates):
            if earlier == later:
                raise ValueError(f"two versions are effective from {later}; merge them")
            if earlier > later:
                raise ValueError(
                    f"version {later} is listed after {earlier}; put the earlier first"
                )
        return self

    @model_validator(mode="after")
    def _always_has_no_exceptions(self) -> Self:
        hours = self.hours
        for entry in _entries(self):
            hours = entry.hours or hours
            if hours == "always" and (entry.holidays or entry.closed or entry.half_days):
                remedy = 'leave its holidays, closed and half_days out, or write "mon-sun": '
                raise ValueError(f'always never closes; {remedy}["00:00-24:00"]')
        return self

    def bound(self, *, zone: str, region: str | None = None) -> Calendar:
        """Build the calendar; an account's ``zone`` and ``region`` replace "account" in the spec.

        Raises:
            ValueError: the zone or the region is unknown.
        """
        own_zone = zone if self.zone == ACCOUNT else self.zone
        return _bound(self.model_dump_json(), own_zone, region)


@lru_cache(maxsize=1)
def always() -> Calendar:
    """Return the calendar in which every second counts."""
    return CalendarSpec(hours="always").bound(zone="UTC")


@lru_cache(maxsize=1024)
def business_week(zone: str) -> Calendar:
    """Return the default business week: Monday to Friday, 09:00-17:00 in ``zone``."""
    return CalendarSpec(hours={"mon-fri": ("09:00-17:00",)}).bound(zone=zone)


@lru_cache(maxsize=1024)
def _bound(spec: str, zone: str, region: str | None) -> Calendar:
    """Build a calendar. The cache key is text, so events with equal specs share one calendar."""
    eras = tuple(_eras(CalendarSpec.model_validate_json(spec), region))
    if all(era.week is None for era in eras):
        return Calendar("UTC", (Era(date.min, None),))
    return Calendar(known_zone(zone), eras)


def _eras(spec: CalendarSpec, region: str | None) -> Iterator[Era]:
    hours, holidays, closed, half_days = spec.hours, spec.holidays, spec.closed, spec.half_days
    for entry in _entries(spec):
        since = entry.effective_from if isinstance(entry, CalendarVersion) else date.min
        hours = hours if entry.hours is None else entry.hours
        holidays = holidays if entry.holidays is None else entry.holidays
        closed = closed if entry.closed is None else entry.closed
        half_days = half_days if entry.half_days is None else entry.half_days
        if hours == "always":
            yield Era(since, None)
        else:
            regions = tuple(_at_home(holidays, region))
            days = {day: read_day(blocks) for day, blocks in half_days.items()}
            yield Era(since, read_week(hours), regions, frozenset(closed), days)


def _entries(spec: CalendarSpec) -> tuple[CalendarSpec | CalendarVersion, ...]:
    return (spec, *spec.versions)


def _at_home(holidays: Regions, region: str | None) -> Iterator[str]:
    for code in holidays:
        if code != ACCOUNT:
            yield code
        elif region is not None:
            yield known_region(region)
