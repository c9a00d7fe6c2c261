"""iCalendar files: which dates they close, and the errors for bad files."""

from datetime import date

import pytest

from shared.sla.calendars import closed_dates_from_ical

YEARS = range(2026, 2029)


def file(*events: str) -> str:
    """Build a file from events; `|` separates lines."""
    bodies = [["BEGIN:VEVENT", "UID:feast", *event.split("|"), "END:VEVENT"] for event in events]
    lines = [line for body in bodies for line in body]
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", *lines, "END:VCALENDAR", ""])


@pytest.mark.parametrize(
    ("event", "dates"),
    [
        ("DTSTART;VALUE=DATE:20261224", ["2026-12-24"]),
        ("DTSTART;VALUE=DATE:20261224|DTEND;VALUE=DATE:20261226", ["2026-12-24", "2026-12-25"]),
        ("DTSTART;VALUE=DATE:20261224|DURATION:P2D", ["2026-12-24", "2026-12-25"]),
        ("DTSTART;VALUE=DATE:20251231|DTEND;VALUE=DATE:20260102", ["2026-01-01"]),
        (
            "DTSTART;VALUE=DATE:20101224|RRULE:FREQ=YEARLY",
            ["2026-12-24", "2027-12-24", "2028-12-24"],
        ),
        (
            "DTSTART;VALUE=DATE:20251231|DTEND;VALUE=DATE:20260102|RRULE:FREQ=YEARLY",
            ["2026-01-01", "2026-12-31", "2027-01-01", "2027-12-31", "2028-01-01", "2028-12-31"],
        ),
        ("DTSTART;VALUE=DATE:20240229|RRULE:FREQ=YEARLY", ["2028-02-29"]),
        (
            "DTSTART;VALUE=DATE:20261126|RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;UNTIL=20271231T000000Z",
            ["2026-11-26", "2027-11-25"],
        ),
        (
            "DTSTART;VALUE=DATE:20261224|RRULE:FREQ=YEARLY|EXDATE;VALUE=DATE:20271224",
            ["2026-12-24", "2028-12-24"],
        ),
        ("DTSTART;VALUE=DATE:20261224|RDATE;VALUE=DATE:20270105", ["2026-12-24", "2027-01-05"]),
        ("DTSTART;VALUE=DATE:20261224|STATUS:CANCELLED", []),
        ("DTSTART;VALUE=DATE:20261224|STATUS:Cancelled", []),
        ("dtstart;value=date:20261224|rrule:freq=yearly;count=2", ["2026-12-24", "2027-12-24"]),
        ("DTSTART:20261211T000000|DTEND:20261212T000000", ["2026-12-11"]),
        ("DTSTART:20261211T000000|DURATION:P2D", ["2026-12-11", "2026-12-12"]),
        ("DTSTART:20261211T000000Z|DTEND:20261212T000000Z", ["2026-12-11"]),
        (
            "DTSTART;TZID=Europe/Paris:20261024T000000|DTEND;TZID=Europe/Paris:20261026T000000",
            ["2026-10-24", "2026-10-25"],
        ),
        ("DTSTART:20261211T000000|X-MICROSOFT-CDO-ALLDAYEVENT:true", ["2026-12-11"]),
        (
            "DTSTART:20261224T000000|DURATION:P1D|RRULE:FREQ=YEARLY|EXDATE:20271224T000000",
            ["2026-12-24", "2028-12-24"],
        ),
        ("DTSTART;VALUE=DATE:20261224|TRANSP:TRANSPARENT", ["2026-12-24"]),  # public feeds say so
    ],
)
def test_all_day_events_close_their_dates(event: str, dates: list[str]) -> None:
    """Every date that an all-day event covers is closed, within the years asked for."""
    found = closed_dates_from_ical(file(event), years=YEARS).dates
    assert [day.isoformat() for day in found] == dates


def test_one_repetition_may_be_moved() -> None:
    """A repetition with its own date closes that date instead of the usual one."""
    yearly = "DTSTART;VALUE=DATE:20261224|RRULE:FREQ=YEARLY;COUNT=2"
    moved = "DTSTART;VALUE=DATE:20271223|RECURRENCE-ID;VALUE=DATE:20271224"
    found = closed_dates_from_ical(file(yearly, moved), years=YEARS)
    assert found.dates == (date(2026, 12, 24), date(2027, 12, 23))


def test_an_event_with_a_time_closes_nothing() -> None:
    """A party at noon leaves the day open."""
    party, feast = "DTSTART:20260105T120000Z", "DTSTART;VALUE=DATE:20260106"
    found = closed_dates_from_ical(file(party, feast), years=YEARS)
    assert found == ((date(2026, 1, 6),), 2, 1)


@pytest.mark.parametrize(
    ("event", "idle"),
    [
        ("DTSTART:20260105T000000", 1),  # an instant
        ("DTSTART:20260105T000000|DTEND:20260105T120000", 1),
        ("DTSTART:20260105T080000|DTEND:20260106T080000", 1),
        ("DTSTART;VALUE=DATE:20260105|STATUS:cancelled", 1),
        ("DTSTART;VALUE=DATE:19990105", 1),
        ("DTSTART;VALUE=DATE:20260105", 0),
    ],
)
def test_events_that_close_nothing_are_counted(event: str, idle: int) -> None:
    """The number of events without effect is reported."""
    feast = "DTSTART;VALUE=DATE:20260106"
    assert closed_dates_from_ical(file(event, feast), years=YEARS)[1:] == (2, idle)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this is no iCalendar file: "),
        ("<html>\n<p>Sign in", "this is no iCalendar file: "),
        ("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", "this is no iCalendar file: "),
        ("BEGIN:VTODO\r\nEND:VTODO\r\n", "it does not begin with BEGIN:VCALENDAR"),
        (file(), "holds no all-day event"),
        (file("DTSTART:20260105T120000Z"), "holds no all-day event"),
        (
            file("SUMMARY:Feast|DTSTART;VALUE=DATE:soon"),
            "event 'Feast' has no start that can be read",
        ),
        (file("DTSTART;VALUE=DATE:20260105|RRULE:FREQ=HOURLY"), "an all-day event repeats DAILY"),
        (
            file("DTSTART;VALUE=DATE:20260105|RRULE:FREQ=SOMETIMES"),
            "a repetition cannot be read: .*SOMETIMES",
        ),
        (file("DTSTART;VALUE=DATE:20260105|DTEND;VALUE=DATE:soon"), "event 'feast' has no"),
    ],
)
def test_a_bad_file_is_one_clear_line(text: str, message: str) -> None:
    """Every fault of a file is reported in one line."""
    with pytest.raises(ValueError, match=message) as refused:
        closed_dates_from_ical(text, years=YEARS)
    assert "\n" not in str(refused.value)
