"""How a mail writes instants and durations, near the time at which it is read."""

from datetime import UTC, datetime, timedelta

__all__ = ["at", "due_phrase", "span"]


def due_phrase(moment: datetime, near: datetime) -> str:
    """Say when something is due, or since how long it has been."""
    if moment >= near:
        return f"due {at(moment, near)}"
    over_ms = (near - moment) // timedelta(milliseconds=1)
    return f"was due {at(moment, near)}, {span(over_ms)} over"


def at(moment: datetime, near: datetime) -> str:
    """Write an instant with its zone, with its day unless that is the reader's, and its year."""
    moment, near = moment.astimezone(UTC), near.astimezone(UTC)
    year = "" if moment.year == near.year else f"{moment.year} "
    day = "" if moment.date() == near.date() else f"{moment:%a} {moment.day} {moment:%b} {year}"
    return f"{day}{moment:%H:%M} UTC"


def span(duration_ms: int) -> str:
    """Write a duration as precisely as it matters."""
    minutes, seconds = divmod(max(0, duration_ms) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
