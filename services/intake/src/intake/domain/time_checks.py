"""Checks that a document's date is not in the future, which would make its due time too late."""

from datetime import datetime

from shared.events import Inbound
from shared.tickets import AHEAD_MAX

__all__ = ["AHEAD_MAX", "fault_of_date"]


def fault_of_date(content: Inbound, now: datetime) -> str | None:
    """Return the fault of a date that is more than AHEAD_MAX after ``now``, or None."""
    ahead = content.occurred_at - now
    if ahead <= AHEAD_MAX:
        return None
    return (
        f"is {ahead.total_seconds():.3f} s in the future, at most "
        f"{AHEAD_MAX.total_seconds():g} s are allowed; set the sender's clock, then send it again"
    )
