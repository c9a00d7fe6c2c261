"""Formats times and durations for pages. `live.js` formats them equally while a page is open."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["clock_time", "left", "span", "state"]

_MINUTE_S: Final = 60
_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400
_SOON: Final = 0.2
"""The share of a budget that is left when the last warning is due (80 % used)."""


def left(due_at: datetime, now: datetime) -> str:
    """Format the time until ``due_at``, or since then: `12 min left`, `4 min over`."""
    seconds = int((due_at - now).total_seconds())
    return f"{span(seconds)} left" if seconds >= 0 else f"{span(-seconds)} over"


def span(seconds: float) -> str:
    """Format a duration in at most two units, rounded down: `2 h 5 min`."""
    whole = int(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min"
    if whole < _DAY_S:
        return _two(whole // _HOUR_S, "h", whole % _HOUR_S // _MINUTE_S, "min")
    return _two(whole // _DAY_S, "d", whole % _DAY_S // _HOUR_S, "h")


def state(due_at: datetime, since: datetime, now: datetime) -> str:
    """Return fine, soon (the last fifth of the time from ``since`` to ``due_at``), or over."""
    if now >= due_at:
        return "over"
    return "soon" if due_at - now <= (due_at - since) * _SOON else "fine"


def clock_time(moment: datetime, zone: str, now: datetime) -> str:
    """Format an instant in the reader's time zone, with the date if it is not today."""
    there = moment.astimezone(ZoneInfo(zone))
    today = there.date() == now.astimezone(ZoneInfo(zone)).date()
    near = abs(moment - now) < timedelta(days=300)
    day = "" if today else f"{there:%a %-d %b} " if near else f"{there:%-d %b %Y} "
    return f"{day}{there:%H:%M %Z}"


def _two(great: int, unit: str, small: int, lesser: str) -> str:
    return f"{great} {unit} {small} {lesser}" if small else f"{great} {unit}"
