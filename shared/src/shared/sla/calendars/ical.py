"""Reads closed dates from an iCalendar file, such as one of public holidays."""

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
    """The closed dates of a file, its number of events, and how many of them close no date."""

    dates: tuple[date, ...]
    events: int
    idle: int


def closed_dates_from_ical(text: str, *, years: range) -> ClosedDates:
    """Return the dates in ``years`` that all-day events cover, repetitions included.

    An all-day event has only dates, or lasts from midnight to midnight, as Outlook writes it.
    Cancelled events and events with a time of day close nothing.

    Raises:
        ValueError: the file cannot be read, or has no all-day event; the message is one line.
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
    if _keyword(event, "STATUS") == "CANCELLED":
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
    return start.date() < end.date() or _keyword(event, _OUTLOOKS_MARK) == "TRUE"


def _keyword(event: Event, name: str) -> str:
    """Return a property's keyword in upper case; iCalendar keywords ignore case."""
    return str(event.get(name, "")).strip().upper()


def _is_moved(event: Event) -> bool:
    return "RECURRENCE-ID" in event


def _days(event: Event) -> int:
    """Return an event's length in days; at least 1, even if it ends before it begins."""
    return max((_day(event.end) - _day(event.start)).days, 1)


def _begins(event: Event, years: range) -> set[date]:
    """Return the dates on which an event begins; repetitions until the end of ``years``."""
    first = _day(event.start)
    added = {_day(moment[0] if isinstance(moment, tuple) else moment) for moment in event.rdates}
    removed = {_day(moment) for moment in event.exdates}
    return {first, *added, *_repeated(event, first, years)} - removed


def _repeated(event: Event, first: date, years: range) -> Iterator[date]:
    start, end = (datetime.combine(day, time()) for day in (first, date(years.stop, 1, 1)))
    for rule in event.rrules:
        try:
            _refuse_hours(rule.get("FREQ", ["nothing"])[0])
            if "UNTIL" in rule:  # some libraries write UNTIL with a time of day
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
