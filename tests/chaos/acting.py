"""What people may do at several routers on one database, drawn by lot, and what must never be."""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

from router.handlers import Matcher
from router.matching import default_rules
from router.offers import store as kept
from router.offers.acts import (
    Accept,
    Act,
    Conflict,
    Decline,
    DeclineOffer,
    HandBack,
    Move,
    Pin,
    Respond,
    Say,
    Unknown,
)
from router.offers.rules import Grace, Ring, Rules, SetAside
from router.specialist import CHANNELS
from shared import inbox
from shared.errors import Transient
from shared.events import (
    CATALOGUE,
    AssignmentHandedBack,
    AssignmentReleased,
    Envelope,
    Event,
    OfferFact,
    TicketAssigned,
    TicketClosed,
    TicketDeclined,
    TicketFact,
    TicketOffered,
    TicketReopened,
    TicketResolved,
    ticket_id_of,
)
from shared.postgres import Database, Tx, now
from shared.testing.builders import NOON, a_specialist, a_ticket, told

__all__ = ["Router", "act_once", "found_wrong", "set_up", "told_wrong"]

PEOPLE: Final = tuple(f"s{number}" for number in range(12))
ROOM: Final = 3
TICKETS: Final = 60
RULES: Final = Rules(
    rings=dict.fromkeys(CHANNELS, Ring(cap_s=1, minimum_s=0.5)),
    set_aside_s=SetAside(declined=0.5, silent=0.3, handed_back=0.5),
    presence_lease_s=1,
    offline_s=Grace(email=0.3, phone=0, chat=0),
)
"""As the built-in ones, in a hurry: a minute sees hundreds of leases end."""
ENDS: Final[tuple[type[TicketFact], ...]] = (TicketClosed, TicketResolved, TicketReopened)

OPEN_OFFERS: Final = "SELECT offer_id, specialist_id FROM offer WHERE state = 'open'"
HELD: Final = "SELECT ticket_id, specialist_id FROM ticket WHERE specialist_id IS NOT NULL"
WRONG: Final = {
    "holds more than they can": """
        SELECT specialist_id, channel, load, capacity FROM capacity WHERE load > capacity
    """,
    "is counted with another load than they hold": """
        SELECT specialist_id, channel, load, count(t.ticket_id)
        FROM capacity AS c LEFT JOIN (
            SELECT ticket_id, specialist_id, channel FROM ticket WHERE specialist_id IS NOT NULL
            UNION ALL
            SELECT ticket_id, o.specialist_id, channel FROM offer AS o JOIN ticket USING (ticket_id)
            WHERE state = 'open'
        ) AS t USING (specialist_id, channel)
        GROUP BY specialist_id, channel, load HAVING load <> count(t.ticket_id)
    """,
    "is with two": """
        SELECT ticket_id FROM ticket JOIN offer USING (ticket_id)
        WHERE state = 'open' AND ticket.specialist_id IS NOT NULL
        UNION ALL
        SELECT ticket_id FROM offer WHERE state = 'open' GROUP BY ticket_id HAVING count(*) > 1
    """,
    "is forgotten": """
        SELECT ticket_id FROM (
            SELECT ticket_id, waiting, specialist_id,
                   EXISTS (SELECT FROM offer AS o
                           WHERE o.ticket_id = t.ticket_id AND state = 'open') AS rings,
                   (SELECT max(value::timestamptz) FROM jsonb_each_text(latest)
                    WHERE key IN ('resolved', 'closed') OR key = 'responded' AND channel <> 'chat'
                   ) AS ended_at,
                   (latest ->> 'reopened')::timestamptz AS reopened_at
            FROM ticket AS t WHERE account_id IS NOT NULL
        ) AS t
        WHERE coalesce(ended_at <= reopened_at, ended_at IS NULL)
              IS DISTINCT FROM (waiting OR rings OR specialist_id IS NOT NULL)
    """,
    "waits though somebody could take it": """
        SELECT ticket_id, c.specialist_id
        FROM ticket JOIN capacity AS c USING (channel) JOIN presence AS p
            ON p.specialist_id = c.specialist_id
        WHERE waiting AND pinned_to IS NULL AND load < capacity AND said = 'online'
              AND NOT set_aside ? c.specialist_id
    """,
    "is with somebody who is offline": """
        SELECT ticket_id FROM ticket JOIN presence USING (specialist_id)
        WHERE said = 'offline' AND hand_back_at IS NULL
    """,
}
TOLD: Final = "SELECT headers, convert_from(value, 'UTF8') AS value FROM outbox ORDER BY id"


class Router(Database):
    """A router's connections, and what it remembers."""

    def __init__(self, dsn: str, connections_max: int = 4) -> None:
        super().__init__(dsn, service="router", connections_max=connections_max)
        self.matcher = Matcher(default_rules())


async def set_up(db: Router) -> None:
    """List everybody, and let it ring in a hurry."""
    async with db.transaction() as tx:
        await kept.save_rules(tx, RULES)
        room = dict.fromkeys(CHANNELS, ROOM)
        people = [a_specialist(name, capacity=room) for name in PEOPLE]
        await db.matcher.take(tx, people, await now(tx))


async def act_once(db: Router, random: Random) -> None:
    """Let something happen. What is refused, or cut off, has no effect."""
    with suppress(Conflict, Unknown, Transient):
        async with db.transaction() as tx, AsyncExitStack() as stack:
            if random.random() < 0.5:  # what is drawn is still so; else others may be faster
                await stack.enter_async_context(db.matcher.alone(tx))
            act = await _something(db, tx, random, await now(tx))
        if act is not None and random.random() < 0.2:
            async with db.transaction() as tx:
                await db.matcher.act(tx, act, await now(tx))


async def _something(db: Router, tx: Tx, random: Random, at: datetime) -> Act | None:
    """Draw what happens, and let it; an act comes back."""
    kind = random.random()
    if kind < 0.35:
        news = [_news(random, at) for _ in range(random.randint(1, 5))]
        fresh, _ = await inbox.claim(tx, [envelope.id for envelope in news])
        await db.matcher.take(tx, [e for e in news if e.id in fresh], at)
    elif kind < 0.5:
        word = random.choice(("online", "online", "online", "away", "offline"))
        said = Say(random.choice(PEOPLE), word, hand_back=random.random() < 0.1)  # type: ignore[arg-type]
        await db.matcher.say(tx, said, at)
    elif kind < 0.55:
        await db.matcher.wake(tx, at)
    elif (act := await _draw(tx, random)) is not None:
        await db.matcher.act(tx, act, at)
        return act
    return None


def _news(random: Random, at: datetime) -> Envelope[Event]:
    name, after_min = f"T{random.randrange(TICKETS)}", (at - NOON) / timedelta(minutes=1)
    if random.random() < 0.5:
        return a_ticket(name, channel=random.choice(CHANNELS), after_min=after_min)
    return told(random.choice(ENDS), name, after_min=after_min)


async def _draw(tx: Tx, random: Random) -> Act | None:
    """Draw an act on something that rings or is held, or on anything."""
    offers, held = await tx.fetch(OPEN_OFFERS), await tx.fetch(HELD)
    if offers and random.random() < 0.5:
        offer_id, who = random.choice(offers)
        if random.random() < 0.7:
            return Accept(offer_id, who)
        return DeclineOffer(offer_id, who, "busy")
    any_id = ticket_id_of("test", f"T{random.randrange(TICKETS)}")
    ticket_id, who = random.choice(held) if held else (any_id, "s0")
    to = random.choice(PEOPLE)
    acts: tuple[Act, ...] = (
        Decline(ticket_id, who, "busy"),
        HandBack(ticket_id, who, "lea", "busy"),
        Respond(ticket_id, who),
        Move(random.choice((ticket_id, any_id)), to, "lea", "knows them"),
        Move(ticket_id, to, "lea", "knows them"),
        Pin(any_id, random.choice((to, None)), "lea", "knows them"),
    )
    return random.choice(acts)


async def found_wrong(db: Database) -> list[str]:
    """Look for what must never be; a line for each."""
    async with db.transaction() as tx:
        return [
            f"{' '.join(str(value) for value in row)} {what}"
            for what, query in WRONG.items()
            for row in await tx.fetch(query)
        ]


async def told_wrong(db: Database) -> list[str]:
    """Fold all that was announced: it names one at a time, and in the end who has it."""
    async with db.transaction() as tx:
        return _told_wrong(await tx.fetch(TOLD), await tx.fetch(HELD))


def _told_wrong(rows: Sequence[Any], held: Sequence[Any]) -> list[str]:
    told = _Told()
    ids: Counter[str] = Counter()
    for row in rows:
        headers = dict(json.loads(row["headers"]))
        ids[headers["ce_id"]] += 1
        told.hear(CATALOGUE[headers["ce_type"]].model_validate_json(row["value"]))
    wrong = told.wrong + [f"{name} was told {times}x" for name, times in ids.items() if times > 1]
    if told.has != {row["ticket_id"]: row["specialist_id"] for row in held}:
        wrong.append("who was told to have what is not who has it")
    return wrong


@dataclass
class _Told:
    """Who has what, and at whom it rings, as a reader of the topic knows it."""

    has: dict[UUID, str] = field(default_factory=dict)
    rings: dict[UUID, UUID] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def hear(self, event: Event) -> None:
        """Fold a fact in."""
        match event:
            case TicketOffered():
                self._demand_free(event.ticket_id)
                self.rings[event.ticket_id] = event.offer_id
            case OfferFact():
                if self.rings.pop(event.ticket_id, None) != event.offer_id:
                    self.wrong.append(f"{event.offer_id} was told to end twice")
            case TicketAssigned():
                self._demand_free(event.ticket_id)
                self.has[event.ticket_id] = event.specialist_id
            case TicketDeclined() | AssignmentReleased() | AssignmentHandedBack():
                if self.has.pop(event.ticket_id, None) != event.specialist_id:
                    self.wrong.append(f"{event.ticket_id} was told to leave who had not got it")
            case _:
                pass

    def _demand_free(self, ticket_id: UUID) -> None:
        if ticket_id in self.rings or ticket_id in self.has:
            self.wrong.append(f"{ticket_id} was told to be with two")
