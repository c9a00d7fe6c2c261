"""Business time: pure arithmetic over working hours in a zone.

Arithmetic is done on instants in UTC; the zone only says where a working block begins and ends,
so a change to or from summer time inside a block costs or gives exactly the hour it takes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

__all__ = ["Calendar", "CalendarSpec", "always", "business_week", "closed_dates_from_ical"]

_SPAN_DAYS_MAX = 3660
"""A target that ten years of a calendar cannot hold is a mistake, not a wait."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working blocks a weekday (0 is Monday), in local time of ``zone``; None means always."""

    zone: str
    blocks: tuple[tuple[int, time, time], ...] | None

    @property
    def version(self) -> str:
        """Name the content."""
        return ""

    def add_business(self, start: datetime, duration: timedelta) -> datetime:
        """Say when ``duration`` of working time after ``start`` is used up, in UTC."""
        return self.add(start, duration)

    def business_between(self, start: datetime, end: datetime) -> timedelta:
        """Measure the working time from ``start`` to ``end``."""
        return self.between(start, end)

    def add(self, start: datetime, duration: timedelta) -> datetime:
        """Say when ``duration`` of working time after ``start`` is used up, in UTC."""
        if self.blocks is None:
            return start.astimezone(UTC) + duration
        left = duration
        for opens, closes in self._spans(start):
            if closes - opens >= left:
                return opens + left
            left -= closes - opens
        raise ValueError(f"{duration} does not fit into {_SPAN_DAYS_MAX} days of {self.zone}")

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Measure the working time from ``start`` to ``end``."""
        if self.blocks is None:
            return max(end - start, timedelta(0))
        total = timedelta(0)
        for opens, closes in self._spans(start):
            if opens >= end:
                break
            total += min(closes, end) - opens
        return total

    def _spans(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        begin = start.astimezone(UTC)
        zone = ZoneInfo(self.zone)
        first = begin.astimezone(zone).date() - timedelta(days=1)
        for offset in range(_SPAN_DAYS_MAX):
            for opens, closes in self._day(first + timedelta(days=offset), zone):
                if closes > begin:
                    yield max(opens, begin), closes

    def _day(self, day: date, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        for weekday, opens, closes in self.blocks or ():
            if weekday == day.weekday():
                yield (
                    datetime.combine(day, opens, zone).astimezone(UTC),
                    datetime.combine(day, closes, zone).astimezone(UTC),
                )


@lru_cache(maxsize=1)
def always() -> Calendar:
    """Count every second."""
    return Calendar("UTC", None)


@lru_cache(maxsize=1024)
def business_week(zone: str) -> Calendar:
    """Count Monday to Friday, 09:00-17:00 in ``zone``: the house default for a business day."""
    return Calendar(zone, tuple((day, time(9), time(17)) for day in range(5)))


class CalendarSpec(BaseModel):
    """A calendar as data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zone: str = "account"
    hours: Literal["always"] | dict[str, list[str]] = "always"
    holidays: Literal["account"] | tuple[str, ...] = ()
    closed: tuple[date, ...] = ()

    def bound(self, *, zone: str, region: str | None) -> Calendar:  # noqa: ARG002
        """Bind to an account."""
        return always() if self.hours == "always" else business_week(zone)


def closed_dates_from_ical(text: str) -> tuple[date, ...]:
    """Read the days of an iCalendar."""
    if not text.startswith("BEGIN:VCALENDAR"):
        raise ValueError("is no iCalendar")
    return tuple(
        datetime.strptime(line.partition(":")[2], "%Y%m%d").replace(tzinfo=UTC).date()
        for line in text.splitlines()
        if line.startswith("DTSTART;VALUE=DATE:")
    )
