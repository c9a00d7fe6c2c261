"""Closed dates out of an iCalendar file, such as an authority or a works council publishes."""

from collections.abc import Container, Iterator
from datetime import date, datetime, time
from typing import Final, NamedTuple

from dateutil.rrule import rrulestr
from icalendar import Calendar as File
from icalendar import Component, Event

__all__ = ["ClosedDates", "closed_dates_from_ical"]

_RULES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_MIDNIGHT: Final = time()
_OUTLOOKS_MARK: Final = "X-MICROSOFT-CDO-ALLDAYEVENT"


class ClosedDates(NamedTuple):
    """The dates that a file closes, how many events it holds, and how many of them close none."""

    dates: tuple[date, ...]
    events: int
    idle: int


def closed_dates_from_ical(text: str, *, years: range) -> ClosedDates:
    """List the dates in ``years`` that all-day events cover, repetitions included.

    All-day is what has a date alone, and what lasts from midnight to midnight, as Outlook writes
    it. Events with a time of day close nothing, nor do cancelled ones. ValueError in one line if
    the file cannot be read, or holds no all-day event at all.
    """
    events = [event for event in _file(text).walk("VEVENT") if isinstance(event, Event)]
    whole = [event for event in events if _is_whole_day(event)]
    if not whole:
        raise ValueError("the iCalendar file holds no all-day event, so it would close nothing")
    moved = {
        (event.get("UID"), _day(event.decoded("RECURRENCE-ID")))
        for event in events
        if _is_moved(event)
    }
    days = [_closed_by(event, years, moved) for event in whole]
    closing = sum(map(bool, days))
    return ClosedDates(tuple(sorted(set().union(*days))), len(events), len(events) - closing)


def _closed_by(event: Event, years: range, moved: Container[tuple[object, date]]) -> set[date]:
    if _word(event, "STATUS") == "CANCELLED":
        return set()
    days = (
        date.fromordinal(begin.toordinal() + step)
        for begin in _begins(event, years)
        if _is_moved(event) or (event.get("UID"), begin) not in moved
        for step in range(_days(event))
    )
    return {day for day in days if day.year in years}


def _file(text: str) -> Component:
    try:
        read = File.from_ical(text)
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(f"this is no iCalendar file: {_one_line(error)}") from error
    if read.name != "VCALENDAR":
        raise ValueError("this is no iCalendar file: it does not begin with BEGIN:VCALENDAR")
    return read


def _is_whole_day(event: Event) -> bool:
    try:
        start, end = event.start, event.end
    except ValueError as error:
        name = event.get("SUMMARY") or event.get("UID") or "without a name"
        raise ValueError(f"event '{name}' has no start that can be read") from error
    if not isinstance(start, datetime) or not isinstance(end, datetime):
        return True
    if (start.time(), end.time()) != (_MIDNIGHT, _MIDNIGHT):
        return False
    return start.date() < end.date() or _word(event, _OUTLOOKS_MARK) == "TRUE"


def _word(event: Event, name: str) -> str:
    """Read a value out of a list of words, which may be written small."""
    return str(event.get(name, "")).strip().upper()


def _is_moved(event: Event) -> bool:
    return "RECURRENCE-ID" in event


def _days(event: Event) -> int:
    """Measure an event in days; what ends before it begins is taken for one day."""
    return max((_day(event.end) - _day(event.start)).days, 1)


def _begins(event: Event, years: range) -> set[date]:
    """Collect the days on which an event begins, and may then last into ``years``."""
    first = _day(event.start)
    added = {_day(moment[0] if isinstance(moment, tuple) else moment) for moment in event.rdates}
    removed = {_day(moment) for moment in event.exdates}
    return {first, *added, *_repeated(event, first, years)} - removed


def _repeated(event: Event, first: date, years: range) -> Iterator[date]:
    start, end = (datetime.combine(day, time()) for day in (first, date(years.stop, 1, 1)))
    for rule in event.rrules:
        try:
            _refuse_hours(rule.get("FREQ", ["nothing"])[0])
            if "UNTIL" in rule:  # some libraries give the last day a time
                rule["UNTIL"] = [_day(until) for until in rule["UNTIL"]]
            found = rrulestr(rule.to_ical().decode(), dtstart=start)
        except ValueError as error:
            raise ValueError(f"a repetition cannot be read: {_one_line(error)}") from error
        yield from (moment.date() for moment in found.between(start, end, inc=True))


def _refuse_hours(frequency: str) -> None:
    if frequency not in _RULES:
        raise ValueError(f"an all-day event repeats {', '.join(_RULES)}, not {frequency}")


def _day(moment: date | datetime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
