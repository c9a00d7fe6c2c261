"""Presence by the inbox: an open page says every few seconds that its owner is there."""

from datetime import datetime, timedelta

from router.domain.commands import EndAway, PresenceReport, SetAway
from router.service.routing import RoutingService
from router.store import offers as kept
from shared.events import Presence
from shared.platform.postgres import Tx
from shared.web.change_feed import Pulse

__all__ = ["holds", "keep", "leave", "switch"]


async def holds(tx: Tx, pulse: Pulse) -> bool:
    """Tell whether a word on presence lasts until an open page says it again.

    Not where time is played fast by rules for real time: it would lapse at once, and its owner
    would count as offline beside an open page.
    """
    rules = await kept.load_rules(tx)
    return pulse.outlasts(timedelta(seconds=rules.presence_lease_s))


async def keep(routing: RoutingService, tx: Tx, name: str, now: datetime) -> None:
    """Say that a page of theirs is open; whether they are away, only they change."""
    if not await routing.renew_presence(tx, name, now):
        await routing.report_presence(tx, PresenceReport(name, "online"), now)


async def switch(
    routing: RoutingService, tx: Tx, name: str, presence: str, now: datetime
) -> Presence:
    """Let somebody go away or come back; what is neither counts as coming back."""
    chosen: Presence = "away" if presence == "away" else "online"
    await routing.report_presence(tx, SetAway(name) if chosen == "away" else EndAway(name), now)
    return chosen


async def leave(routing: RoutingService, tx: Tx, name: str, now: datetime) -> None:
    """Let somebody go for the day; whoever signs in again is not away any more."""
    await routing.report_presence(tx, PresenceReport(name, "offline"), now)
    await routing.report_presence(tx, EndAway(name), now)
