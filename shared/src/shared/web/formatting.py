"""Times in words that a tired person understands. `live.js` says the same as they pass."""

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
    """Say how long it is until then, or since: `12 min left`, `4 min over`."""
    seconds = int((due_at - now).total_seconds())
    return f"{span(seconds)} left" if seconds >= 0 else f"{span(-seconds)} over"


def span(seconds: float) -> str:
    """Say how long, in the two units that matter, rounded down: `2 h 5 min`."""
    whole = int(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min"
    if whole < _DAY_S:
        return _two(whole // _HOUR_S, "h", whole % _HOUR_S // _MINUTE_S, "min")
    return _two(whole // _DAY_S, "d", whole % _DAY_S // _HOUR_S, "h")


def state(due_at: datetime, since: datetime, now: datetime) -> str:
    """Say how urgent: fine, soon (the last fifth of the time from ``since``), over."""
    if now >= due_at:
        return "over"
    return "soon" if due_at - now <= (due_at - since) * _SOON else "fine"


def clock_time(moment: datetime, zone: str, now: datetime) -> str:
    """Say when, by the reader's clock, with the zone; the day, too, when it is another."""
    there = moment.astimezone(ZoneInfo(zone))
    today = there.date() == now.astimezone(ZoneInfo(zone)).date()
    near = abs(moment - now) < timedelta(days=300)
    day = "" if today else f"{there:%a %-d %b} " if near else f"{there:%-d %b %Y} "
    return f"{day}{there:%H:%M %Z}"


def _two(great: int, unit: str, small: int, lesser: str) -> str:
    return f"{great} {unit} {small} {lesser}" if small else f"{great} {unit}"
