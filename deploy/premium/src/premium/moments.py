"""Instants and durations as people read them: UTC first, the account's clock beside it."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from shared.sla.calendars import zone_info

__all__ = ["Local", "length", "words"]

_SECOND_MS: Final = 1000
_MINUTE_MS: Final = 60 * _SECOND_MS
_HOUR_MS: Final = 60 * _MINUTE_MS


@dataclass(frozen=True, slots=True)
class Local:
    """The clock of an account's zone."""

    zone: str

    @property
    def is_utc(self) -> bool:
        """Whether there is nothing to show beside UTC."""
        return self.zone == "UTC"

    def both(self, at: datetime) -> str:
        """Write an instant in full, by both clocks."""
        told = f"{self.utc(at)} UTC"
        return told if self.is_utc else f"{told} ({self.beside(at)} {self.zone})"

    def beside(self, at: datetime) -> str:
        """Write an instant by the account's clock, with its day if that is another one."""
        utc, here = at.astimezone(UTC), at.astimezone(zone_info(self.zone))
        return _time(here) if here.date() == utc.date() else f"{here:%a} {_time(here)}"

    def span(self, since: datetime, until: datetime) -> tuple[str, str]:
        """Write a span by both clocks, the second empty where they agree."""
        told = f"{self.utc(since)} to {self._end(since, until, UTC)}"
        if self.is_utc:
            return told, ""
        return told, f"{self.beside(since)} to {self._end(since, until, zone_info(self.zone))}"

    @staticmethod
    def _end(since: datetime, until: datetime, zone: tzinfo) -> str:
        begins, ends = since.astimezone(zone), until.astimezone(zone)
        return _time(ends) if begins.date() == ends.date() else _short(ends)

    @staticmethod
    def utc(at: datetime) -> str:
        """Write day and time in UTC."""
        return _short(at.astimezone(UTC))


def length(span_ms: int) -> str:
    """Write a duration by its two greatest units, without a sign: 1 h 20 min."""
    left_ms = abs(span_ms)
    if left_ms < _SECOND_MS:
        return f"{left_ms} ms"
    hours, left_ms = divmod(left_ms, _HOUR_MS)
    minutes, left_ms = divmod(left_ms, _MINUTE_MS)
    seconds = left_ms // _SECOND_MS
    parts = [(hours, "h"), (minutes, "min"), (0 if hours else seconds, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def words(code: str) -> str:
    """Write a code as people say it."""
    return code.replace("_", " ")


def _short(at: datetime) -> str:
    return f"{at:%a} {at.day} {at:%b} {_time(at)}"


def _time(at: datetime) -> str:
    return f"{at:%H:%M:%S}"
