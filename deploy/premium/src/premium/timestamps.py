"""Times and durations for people: UTC first, the account's local time beside it."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from shared.sla.calendars import zone_info

__all__ = ["Local", "duration", "plain"]

_SECOND_MS: Final = 1000
_MINUTE_MS: Final = 60 * _SECOND_MS
_HOUR_MS: Final = 60 * _MINUTE_MS


@dataclass(frozen=True, slots=True)
class Local:
    """Formats times in UTC and in an account's zone."""

    zone: str

    @property
    def is_utc(self) -> bool:
        """Whether local time is UTC, and so need not be shown."""
        return self.zone == "UTC"

    def both(self, at: datetime) -> str:
        """Format a time as "Mon 2 Mar 12:00:00 UTC (13:00:00 Europe/Berlin)"."""
        text = f"{self.utc(at)} UTC"
        return text if self.is_utc else f"{text} ({self.local(at)} {self.zone})"

    def local(self, at: datetime) -> str:
        """Format a time in the account's zone, with the weekday if it differs from UTC's."""
        utc, here = at.astimezone(UTC), at.astimezone(zone_info(self.zone))
        return _time(here) if here.date() == utc.date() else f"{here:%a} {_time(here)}"

    def span(self, since: datetime, until: datetime) -> tuple[str, str]:
        """Format a span in UTC and in local time; the second is empty if local time is UTC."""
        text = f"{self.utc(since)} to {_end(since, until, UTC)}"
        if self.is_utc:
            return text, ""
        return text, f"{self.local(since)} to {_end(since, until, zone_info(self.zone))}"

    @staticmethod
    def utc(at: datetime) -> str:
        """Format day and time in UTC."""
        return _day_and_time(at.astimezone(UTC))


def duration(span_ms: int) -> str:
    """Format a duration in its two largest units, without a sign: "1 h 20 min"."""
    left_ms = abs(span_ms)
    if left_ms < _SECOND_MS:
        return f"{left_ms} ms"
    hours, left_ms = divmod(left_ms, _HOUR_MS)
    minutes, left_ms = divmod(left_ms, _MINUTE_MS)
    seconds = left_ms // _SECOND_MS
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else seconds, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def plain(code: str) -> str:
    """Write a code such as ``first_response`` as plain text."""
    return code.replace("_", " ")


def _end(since: datetime, until: datetime, zone: tzinfo) -> str:
    begins, ends = since.astimezone(zone), until.astimezone(zone)
    return _time(ends) if begins.date() == ends.date() else _day_and_time(ends)


def _day_and_time(at: datetime) -> str:
    return f"{at:%a} {at.day} {at:%b} {_time(at)}"


def _time(at: datetime) -> str:
    return f"{at:%H:%M:%S}"
