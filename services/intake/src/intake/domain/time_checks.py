"""A create date ahead of our clock would promise too late: who sends one is told."""

from datetime import datetime

from shared.events import Inbound
from shared.tickets import AHEAD_MAX

__all__ = ["AHEAD_MAX", "fault_of_date"]


def fault_of_date(content: Inbound, now: datetime) -> str | None:
    """Say by how much what is told lies ahead of our time, or None. The past may be told any time.

    Nothing is kept of it, so that it can be sent again under the same name.
    """
    ahead = content.occurred_at - now
    if ahead <= AHEAD_MAX:
        return None
    return (
        f"lies {ahead.total_seconds():.3f} s ahead of our time, at most "
        f"{AHEAD_MAX.total_seconds():g} are allowed; set the sender's clock, then send it again"
    )
