"""Random actions of people on several routers with one database."""

from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from random import Random
from typing import Final

from router.domain.commands import (
    Accept,
    Command,
    Conflict,
    Decline,
    DeclineOffer,
    EndAway,
    HandBack,
    Move,
    Pin,
    PresenceReport,
    Respond,
    SetAway,
    Unknown,
)
from router.domain.matching import default_rules
from router.domain.offers.rules import Backoff, Exclusions, Grace, OfferRules, Ring
from router.domain.specialist import CHANNELS
from router.service.routing import RoutingService
from router.store import offers as kept
from shared.basics.errors import Transient
from shared.events import (
    Envelope,
    Event,
    TicketClosed,
    TicketFact,
    TicketReopened,
    TicketResolved,
    ticket_id_of,
)
from shared.platform import processed_events
from shared.platform.postgres import Database, Tx, now
from shared.testing.builders import NOON, a_fact, a_specialist, a_ticket

__all__ = ["Router", "execute_random_action", "prepare"]

PEOPLE: Final = tuple(f"s{number}" for number in range(12))
ROOM: Final = 3
TICKETS: Final = 60
RULES: Final = OfferRules(
    rings=dict.fromkeys(CHANNELS, Ring(cap_s=1, minimum_s=0.5)),
    set_aside_s=Exclusions(declined=0.5, silent=0.3, handed_back=0.5),
    no_answer_s=Backoff(first=0.3, most=1),
    away_after=5,
    presence_lease_s=3,
    offline_s=Grace(email=0.3, phone=0, chat=0),
)
"""Short leases, so that hundreds end within a minute."""
ENDS: Final[tuple[type[TicketFact], ...]] = (TicketClosed, TicketResolved, TicketReopened)

OPEN_OFFERS: Final = "SELECT offer_id, specialist_id FROM offer WHERE state = 'open'"
AWAY: Final = "SELECT specialist_id FROM specialist WHERE away IS NOT NULL"
HELD: Final = "SELECT ticket_id, specialist_id FROM ticket WHERE specialist_id IS NOT NULL"


class Router(Database):
    """A router's connections, and its cache."""

    def __init__(self, dsn: str, connections_max: int = 4) -> None:
        super().__init__(dsn, service="router", connections_max=connections_max)
        self.routing = RoutingService(default_rules())


async def prepare(db: Router) -> None:
    """List all specialists, and set short leases."""
    async with db.transaction() as tx:
        await kept.save_rules(tx, RULES)
        room = dict.fromkeys(CHANNELS, ROOM)
        people = [a_specialist(name, capacity=room) for name in PEOPLE]
        await db.routing.apply_events(tx, people, await now(tx))


async def execute_random_action(db: Router, random: Random) -> None:
    """Execute a random event or action; a refused or interrupted one has no effect."""
    with suppress(Conflict, Unknown, Transient):
        async with db.transaction() as tx, AsyncExitStack() as stack:
            if (
                random.random() < 0.5
            ):  # the state cannot change meanwhile; else other routers may be faster
                await stack.enter_async_context(db.routing.matching_lock(tx))
            action = await _apply_random_event(db, tx, random, await now(tx))
        if action is not None and random.random() < 0.2:
            async with db.transaction() as tx:
                await db.routing.execute(tx, action, await now(tx))


async def _apply_random_event(db: Router, tx: Tx, random: Random, at: datetime) -> Command | None:
    """Apply a random event; return the action, if it was one."""
    kind = random.random()
    if kind < 0.35:
        news = [_random_fact(random, at) for _ in range(random.randint(1, 5))]
        fresh, _ = await processed_events.claim(tx, [envelope.id for envelope in news])
        await db.routing.apply_events(tx, [e for e in news if e.id in fresh], at)
    elif kind < 0.5:
        presence = random.choice(("online", "online", "online", "away", "offline"))
        report = PresenceReport(random.choice(PEOPLE), presence, hand_back=random.random() < 0.1)  # type: ignore[arg-type]
        away = [row["specialist_id"] for row in await tx.fetch(AWAY)]
        back = EndAway(random.choice(away)) if away and random.random() < 0.7 else None
        leave = SetAway(report.specialist_id) if random.random() < 1 / 6 else None
        await db.routing.report_presence(tx, back or leave or report, at)
    elif kind < 0.55:
        await db.routing.wake(tx, at)
    elif (action := await _random_action(tx, random)) is not None:
        await db.routing.execute(tx, action, at)
        return action
    return None


def _random_fact(random: Random, at: datetime) -> Envelope[Event]:
    name, after_min = f"T{random.randrange(TICKETS)}", (at - NOON) / timedelta(minutes=1)
    if random.random() < 0.5:
        return a_ticket(name, channel=random.choice(CHANNELS), after_min=after_min)
    return a_fact(random.choice(ENDS), name, after_min=after_min)


async def _random_action(tx: Tx, random: Random) -> Command | None:
    """Draw an action on an offer, an assigned ticket, or any ticket."""
    offers, held = await tx.fetch(OPEN_OFFERS), await tx.fetch(HELD)
    if offers and random.random() < 0.5:
        offer_id, who = random.choice(offers)
        if random.random() < 0.7:
            return Accept(offer_id, who)
        return DeclineOffer(offer_id, who, "busy")
    any_id = ticket_id_of("test", f"T{random.randrange(TICKETS)}")
    ticket_id, who = random.choice(held) if held else (any_id, "s0")
    to = random.choice(PEOPLE)
    actions: tuple[Command, ...] = (
        Decline(ticket_id, who, "busy"),
        HandBack(ticket_id, who, "lea", "busy"),
        Respond(ticket_id, who),
        Move(random.choice((ticket_id, any_id)), to, "lea", "knows them"),
        Move(ticket_id, to, "lea", "knows them"),
        Pin(any_id, random.choice((to, None)), "lea", "knows them"),
    )
    return random.choice(actions)
