"""Business time as arithmetic on whole microseconds.

Blocks are in wall time. Where a zone's UTC offset is constant, wall time minus the offset is UTC.
So each span of constant offset is computed separately, which is exact also when clocks change.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from itertools import accumulate
from typing import NamedTuple, override

from shared.sla.calendars.hours import DAY_MIN, Blocks
from shared.sla.calendars.regions import holidays_version, public_holidays
from shared.sla.calendars.zones import EPOCH, segments, tzdata_version

__all__ = ["Calendar", "Era", "Holiday", "Span"]

_DAYS_MAX = 3660
"""A target that needs more than ten years of a calendar is a mistake."""
_MINUTE_US = 60_000_000
_DAY_US = DAY_MIN * _MINUTE_US
_SHEET_US = 32 * _DAY_US
_MICROSECOND = timedelta(microseconds=1)
_EPOCH_ORDINAL = EPOCH.toordinal()
_WHOLE_DAY: Blocks = ((0, DAY_MIN),)


class Span(NamedTuple):
    """An open span: from ``opens`` until just before ``closes``, in UTC."""

    opens: datetime
    closes: datetime


class Holiday(NamedTuple):
    """A date on which no block begins."""

    date: date
    name: str


@dataclass(frozen=True, slots=True)
class Era:
    """The rules for blocks from ``effective_from`` until the next era. No ``week``: always open."""

    effective_from: date
    week: tuple[Blocks, ...] | None
    regions: tuple[str, ...] = ()
    closed: frozenset[date] = frozenset()
    half_days: Mapping[date, Blocks] = field(default_factory=dict)

    def blocks(self, day: date) -> Blocks:
        """Return the blocks of a date: half-days override holidays, holidays override the week."""
        if self.week is None:
            return _WHOLE_DAY
        if (half := self.half_days.get(day)) is not None:
            return half
        return () if self.holiday(day) else self.week[day.weekday()]

    def holiday(self, day: date) -> str | None:
        """Return the name of the holiday on a date, "closed" for a closed date, else None."""
        if self.week is None or day in self.half_days:
            return None
        for region in self.regions:
            if name := public_holidays(region, day.year).get(day):
                return name
        return "closed" if day in self.closed else None


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar in the time zone ``zone``: its eras in order, the first without a beginning."""

    zone: str
    eras: tuple[Era, ...]
    version: str = field(init=False, repr=False)
    """A digest of everything that can change a due time, including zone and holiday data."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "version", "always" if self.is_always else _digest(self))

    @override
    def __hash__(self) -> int:
        return hash(self.version)

    @property
    def is_always(self) -> bool:
        """Whether every instant is open."""
        return all(era.week is None for era in self.eras)

    def add_business(self, start: datetime, duration: timedelta) -> datetime:
        """Return the earliest instant, in UTC, at which ``duration`` of open time has passed.

        If it is used up exactly when a block ends, that is the end, not the next opening.

        Raises:
            ValueError: the duration is negative, or not over after ten years.
        """
        begin, left = _us(start), duration // _MICROSECOND
        if left < 0:
            raise ValueError(f"a duration of {duration} runs backwards")
        end = begin + left if left == 0 or self.version == "always" else self._end(begin, left)
        if end is None or end - begin > _DAYS_MAX * _DAY_US:
            raise ValueError(
                f"{duration} does not fit into ten years of the calendar in {self.zone}"
            )
        return _instant(end)

    def business_between(self, start: datetime, end: datetime) -> timedelta:
        """Return the open time from ``start`` to ``end``; 0 if ``end`` is before ``start``."""
        begin, stop = _us(start), _us(end)
        if stop <= begin:
            return timedelta(0)
        if self.version == "always":
            return (stop - begin) * _MICROSECOND
        first, last = begin // _SHEET_US, stop // _SHEET_US
        open_us = _sheet(self, last).before(stop) - _sheet(self, first).before(begin)
        open_us += sum(_sheet(self, index).total for index in range(first, last))
        return open_us * _MICROSECOND

    def spans(self, start: datetime, end: datetime) -> tuple[Span, ...]:
        """Return the open spans, cut at ``start`` and ``end``; adjacent spans are joined."""
        begin, stop = _us(start), _us(end)
        if self.version == "always":
            found = [(begin, stop)]
        else:
            found = [span for index in _sheets(begin, stop) for span in _sheet(self, index).pairs()]
        cut = [(max(opens, begin), min(closes, stop)) for opens, closes in found]
        joined = _joined(span for span in cut if span[0] < span[1])
        return tuple(Span(_instant(opens), _instant(closes)) for opens, closes in joined)

    def blocks(self, day: date) -> Blocks:
        """Return the blocks that begin on a date, in minutes of wall time."""
        return self._era(day).blocks(day)

    def holidays_between(self, first: date, last: date) -> tuple[Holiday, ...]:
        """Return the holidays from ``first`` to ``last``, both included."""
        days = (date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1))
        named = ((day, self._era(day).holiday(day)) for day in days)
        return tuple(Holiday(day, name) for day, name in named if name)

    def _era(self, day: date) -> Era:
        for era in reversed(self.eras):
            if era.effective_from <= day:
                return era
        return self.eras[0]

    def _end(self, begin: int, left: int) -> int | None:
        index = begin // _SHEET_US
        sheet = _sheet(self, index)
        left += sheet.before(begin)
        limit = index + _DAYS_MAX * _DAY_US // _SHEET_US + 2
        while left > sheet.total:
            left -= sheet.total
            index += 1
            if index > limit:
                return None
            sheet = _sheet(self, index)
        return sheet.reached(left)


class _Sheet(NamedTuple):
    """The open spans of 32 days; ``used`` holds the open time up to the end of each."""

    opens: list[int]
    closes: list[int]
    used: list[int]
    total: int

    def before(self, at: int) -> int:
        """Return the open time from the beginning of the sheet to an instant in it."""
        found = bisect_right(self.opens, at) - 1
        return self.used[found] - max(self.closes[found] - at, 0) if found >= 0 else 0

    def reached(self, used: int) -> int:
        """Return when ``used`` of the sheet's open time has passed; 0 < ``used`` <= total."""
        found = bisect_left(self.used, used)
        return self.closes[found] - (self.used[found] - used)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Iterate over pairs of opening and closing."""
        return zip(self.opens, self.closes, strict=True)


def _sheets(begin: int, stop: int) -> range:
    return range(begin // _SHEET_US, (stop - 1) // _SHEET_US + 1)


_SHEET_MIN, _SHEET_MAX = (
    (date(year, 1, 1).toordinal() - _EPOCH_ORDINAL) * _DAY_US // _SHEET_US for year in (2, 9999)
)


@lru_cache(maxsize=4096)
def _sheet(calendar: Calendar, index: int) -> _Sheet:
    if not _SHEET_MIN <= index < _SHEET_MAX:
        raise ValueError("calendars reach from year 2 to year 9998")
    begin = index * _SHEET_US
    found: list[tuple[int, int]] = []
    for since, until, offset in segments(calendar.zone, begin, begin + _SHEET_US):
        first, last = (since + offset) // _DAY_US - 1, (until + offset - 1) // _DAY_US
        for day in range(first, last + 1):
            midnight = day * _DAY_US - offset
            for opens, closes in calendar.blocks(date.fromordinal(day + _EPOCH_ORDINAL)):
                span = midnight + opens * _MINUTE_US, midnight + closes * _MINUTE_US
                found.append((max(span[0], since), min(span[1], until)))
    spans = _joined(sorted(span for span in found if span[0] < span[1]))
    used = list(accumulate(closes - opens for opens, closes in spans))
    total = used[-1] if used else 0
    return _Sheet([span[0] for span in spans], [span[1] for span in spans], used, total)


def _joined(spans: Iterator[tuple[int, int]] | list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for opens, closes in spans:
        if joined and opens <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], closes)
        else:
            joined.append((opens, closes))
    return joined


def _us(moment: datetime) -> int:
    return (moment - EPOCH) // _MICROSECOND


def _instant(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def _digest(calendar: Calendar) -> str:
    content = [
        (e.effective_from, e.week, e.regions, sorted(e.closed), sorted(e.half_days.items()))
        for e in calendar.eras
    ]
    text = repr((calendar.zone, content, tzdata_version(), holidays_version()))
    return sha256(text.encode()).hexdigest()[:16]
