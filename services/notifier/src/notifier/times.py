"""Formats due times and durations for mails, relative to the time of the mail."""

from datetime import UTC, datetime, timedelta

__all__ = ["at", "due_phrase", "span"]


def due_phrase(moment: datetime, near: datetime) -> str:
    """Write when something is due; if it is overdue, also by how much."""
    if moment >= near:
        return f"due {at(moment, near)}"
    over_ms = (near - moment) // timedelta(milliseconds=1)
    return f"was due {at(moment, near)}, {span(over_ms)} over"


def at(moment: datetime, near: datetime) -> str:
    """Write a time in UTC; add the date if ``near`` is on another day.

    Add the year, too, if ``near`` is in another year.
    """
    moment, near = moment.astimezone(UTC), near.astimezone(UTC)
    year = "" if moment.year == near.year else f"{moment.year} "
    day = "" if moment.date() == near.date() else f"{moment:%a} {moment.day} {moment:%b} {year}"
    return f"{day}{moment:%H:%M} UTC"


def span(duration_ms: int) -> str:
    """Write a duration in hours and minutes; under 1 h in minutes, under 1 min in seconds."""
    minutes, seconds = divmod(max(0, duration_ms) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
