"""Presence by the inbox: an open page says every few seconds that its owner is there."""

from datetime import datetime, timedelta

from router.handlers import Matcher
from router.inbox import store
from router.offers import store as kept
from router.offers.acts import Say
from shared.events import Presence
from shared.postgres import Tx
from shared.web.pulse import Pulse

__all__ = ["holds", "keep", "leave", "switch"]


async def holds(tx: Tx, pulse: Pulse) -> bool:
    """Tell whether a word on presence lasts until an open page says it again.

    Not where time is played fast by rules for real time: it would lapse at once, and its owner
    would count as offline beside an open page.
    """
    rules = await kept.load_rules(tx)
    return pulse.outlasts(timedelta(seconds=rules.presence_lease_s))


async def keep(matcher: Matcher, tx: Tx, name: str, now: datetime) -> None:
    """Say again what somebody said; who opens the page, or comes back to it, is online.

    What they say from another page at the same moment is not taken back: what has no lease any
    more is looked at again when nobody else decides.
    """
    if not await matcher.say_again(tx, name, now):
        async with matcher.alone(tx):
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
