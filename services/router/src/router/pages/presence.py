"""Reports presence from the inbox: an open page renews its owner's presence every few seconds."""

from datetime import datetime, timedelta

from router.domain.commands import EndAway, PresenceReport, SetAway
from router.service.routing import RoutingService
from router.store import offers as offer_store
from shared.events import Presence
from shared.platform.postgres import Tx
from shared.web.change_feed import ChangeFeed

__all__ = ["outlasts_polling", "renew", "set_presence", "sign_out"]


async def outlasts_polling(tx: Tx, feed: ChangeFeed) -> bool:
    """Return whether a presence lasts until an open page renews it.

    It does not if business time runs much faster than real time: the presence would lapse at once,
    and its owner would count as offline beside an open page.
    """
    rules = await offer_store.load_rules(tx)
    return feed.renews_within(timedelta(seconds=rules.presence_lease_s))


async def renew(routing: RoutingService, tx: Tx, name: str, now: datetime) -> None:
    """Renew a specialist's presence because a page is open; this does not end being away."""
    if not await routing.renew_presence(tx, name, now):
        await routing.report_presence(tx, PresenceReport(name, "online"), now)


async def set_presence(
    routing: RoutingService, tx: Tx, name: str, presence: str, now: datetime
) -> Presence:
    """Set a specialist away; any ``presence`` but `away` ends being away. Return which applies."""
    chosen: Presence = "away" if presence == "away" else "online"
    await routing.report_presence(tx, SetAway(name) if chosen == "away" else EndAway(name), now)
    return chosen


async def sign_out(routing: RoutingService, tx: Tx, name: str, now: datetime) -> None:
    """Report that a specialist has signed out; at the next sign-in they are not away."""
    await routing.report_presence(tx, PresenceReport(name, "offline"), now)
    await routing.report_presence(tx, EndAway(name), now)
