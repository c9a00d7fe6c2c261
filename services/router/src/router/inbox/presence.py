"""Presence by the inbox: an open page says every few seconds that its owner is there."""

from datetime import datetime

from router.handlers import Matcher
from router.inbox import store
from router.offers.acts import Say
from shared.events import Presence
from shared.postgres import Tx

__all__ = ["keep", "leave", "switch"]


async def keep(matcher: Matcher, tx: Tx, name: str, now: datetime) -> None:
    """Say again what somebody said; who opens the page, or comes back to it, is online."""
    said = await store.said(tx, name)
    await matcher.say(tx, Say(name, "away" if said == "away" else "online"), now)


async def switch(matcher: Matcher, tx: Tx, name: str, presence: str, now: datetime) -> Presence:
    """Let somebody go away or come back; what is neither counts as coming back."""
    chosen: Presence = "away" if presence == "away" else "online"
    await matcher.say(tx, Say(name, chosen), now)
    return chosen


async def leave(matcher: Matcher, tx: Tx, name: str, now: datetime) -> None:
    """Let somebody go for the day."""
    await matcher.say(tx, Say(name, "offline"), now)
