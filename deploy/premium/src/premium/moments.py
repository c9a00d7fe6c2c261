"""Instants and durations as people read them: UTC first, the account's clock beside it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.calendars import zone_info

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
        utc, here = at.astimezone(UTC), at.astimezone(zone_info(self.zone))
        told = f"{utc:%a} {utc.day} {utc:%b} {utc:%H:%M:%S} UTC"
        if self.is_utc:
            return told
        day = "" if here.date() == utc.date() else f"{here:%a} "
        return f"{told} ({day}{here:%H:%M:%S} {self.zone})"

    def clock(self, at: datetime) -> str:
        """Write day and time by the account's clock."""
        return _short(at.astimezone(zone_info(self.zone)))

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
    return f"{at:%a} {at.day} {at:%b} {at:%H:%M:%S}"
