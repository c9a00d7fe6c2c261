"""One storm of declines, leases that end and people who go: a script, and what it came to.

What happens in it is a function of the script alone: business time stands between its steps, and
each step has had its effect before the next. So it comes to the same, whatever fails meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from tests.chaos.invariants import Fact, found_wrong, told_wrong
from tests.integration.router.keys import key_for_everybody

from shared.basics.clock import wait_at_most
from shared.basics.errors import Transient
from shared.events import (
    Envelope,
    Event,
    TicketClosed,
    TicketReopened,
    TicketResolved,
    TicketResponded,
)
from shared.platform.postgres import Database
from shared.sla.promises import Channel
from shared.testing.builders import NOON, a_fact, a_specialist, a_ticket, removed
from shared.testing.databases import FreshDatabase

__all__ = [
    "STORM",
    "Books",
    "Desk",
    "End",
    "Post",
    "Step",
    "a_moment",
    "keeping_books",
    "play",
]

PEOPLE: Final = ("ann", "ben", "cy", "dee", "eli")
ROOM: Final[dict[Channel, int]] = {"email": 2, "phone": 1, "chat": 2}
CHANNELS: Final[tuple[Channel, ...]] = ("chat", "chat", "phone", "email")
WORDS: Final = ("online", "back", "back", "away", "offline")
ENDS: Final = (TicketClosed, TicketReopened, TicketResolved, TicketResponded)
PAUSES_S: Final = (3, 5, 9, 16, 21, 40)
LOOK_S: Final = 0.01
TRACE: Final = {"traceparent": "00-" + "1" * 32 + "-" + "1" * 16 + "-01"}

STAND: Final = """
    CREATE OR REPLACE FUNCTION premium_now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT timestamptz '{}' $$
"""
OFFERS: Final = "SELECT offer_id, specialist_id FROM offer WHERE state = 'open' ORDER BY offer_id"
SETTLED: Final = """
    SELECT offer_id, specialist_id FROM offer WHERE state <> 'open'
    ORDER BY settled_at, offer_id
"""
HELD: Final = """
    SELECT ticket_id, specialist_id FROM ticket WHERE specialist_id IS NOT NULL ORDER BY ticket_id
"""
LEFT: Final = """
    SELECT (SELECT count(*) FROM ticket WHERE wakes_at <= premium_now())
         + (SELECT count(*) FROM presence WHERE presence_until <= premium_now())
         + (SELECT count(*) FROM specialist WHERE turns_at <= premium_now())
"""
KEPT: Final = {
    "ticket": "SELECT * FROM ticket",
    "capacity": "SELECT * FROM capacity",
    "offer": "SELECT * FROM offer",
    "presence": "SELECT * FROM presence",
    "specialist": "SELECT * FROM specialist",
    "account_affinity": "SELECT * FROM account_affinity",
    "decision": "SELECT * FROM decision",
    "outlook": "SELECT * FROM outlook",
    "infeasible": "SELECT * FROM infeasible",
    # A number that an attempt drew is drawn for good; the transaction's is another each time.
    "act": """
        SELECT kind, subject, actor, at, from_id, to_id, reason, ticket_id, outcome, specialist_id
        FROM act
    """,
    "ticket_history": "SELECT ticket_id, at, type, specialist_id, fact FROM ticket_history",
    "processed_event": "SELECT event_id FROM processed_event",
    "dead_letter": "SELECT topic, reason, detail FROM dead_letter",
}
ROWS: Final = 'SELECT t::text FROM ({query}) AS t ORDER BY t::text COLLATE "C"'
SEEN: Final = """
    SELECT state FROM offer UNION SELECT kind FROM act
    UNION SELECT type FROM ticket_history WHERE type LIKE 'premium.assignment.%'
"""


@dataclass(frozen=True)
class Told:
    """Upstream tells something."""

    envelope: Envelope[Event]


@dataclass(frozen=True)
class Later:
    """Time passes."""

    moment: datetime


@dataclass(frozen=True)
class Said:
    """Somebody says whether they are there, or is back from being away."""

    who: str
    presence: str
    hand_back: bool = False


@dataclass(frozen=True)
class Done:
    """Somebody acts on one of the things that ring, have rung, or are held: the ``which``-th."""

    what: str
    which: int
    to: str


type Step = Told | Later | Said | Done


class Post(NamedTuple):
    """A request to router's door, what it is for, and by which name it is sent again."""

    what: str
    path: str
    body: dict[str, object]
    idempotency_key: str


class Desk(Protocol):
    """Router, however it is run; each call returns when it has had its effect, and all of it."""

    async def take(self, envelope: Envelope[Event]) -> None:
        """Take in what upstream tells."""

    async def post(self, post: Post) -> tuple[int, str]:
        """Do what somebody asks for, and again until it is answered; the answer comes back."""

    async def pass_time(self) -> None:
        """Do all that time has brought about."""


class End(NamedTuple):
    """What a storm came to, as it is compared: rows by table, facts by key, answers."""

    kept: dict[str, list[str]]
    facts: dict[str, list[Fact]]
    answers: list[tuple[int, str]]


class Books:
    """Sets router's time, and reads its tables past whatever stands in its way."""

    def __init__(self, owner: Database, key: str) -> None:
        self.owner = owner
        self._headers = {**TRACE, "authorization": f"Bearer {key}"}

    def headers(self, post: Post) -> dict[str, str]:
        """Name what a desk for everybody shows at router's door."""
        return {**self._headers, "idempotency-key": post.idempotency_key}

    async def stand_at(self, moment: datetime) -> None:
        """Let it be that time."""
        await self.do(STAND.format(moment.isoformat()))

    async def do(self, statement: str) -> None:
        """Run a statement, and again while the server is away."""
        await self.read(statement)

    async def read(self, query: str) -> list[Any]:
        """Read some rows, and again while the server is away."""
        while True:
            try:
                async with self.owner.session() as session:
                    return [tuple(row) for row in await session.fetch(query)]
            except Transient:
                await a_moment()

    async def is_quiet(self) -> bool:
        """Tell whether time has nothing left to bring about."""
        return await self.read(LEFT) == [(0,)]

    async def end(self, facts: Sequence[Fact], answers: list[tuple[int, str]]) -> End:
        """Fingerprint what there is; nothing may be wrong with it."""
        assert await found_wrong(self.owner) == []
        distinct = list(dict.fromkeys(facts))  # a record may be repeated, as it was
        assert await told_wrong(self.owner, distinct) == []
        kept = {
            name: [row[0] for row in await self.read(ROWS.format(query=query))]
            for name, query in KEPT.items()
        }
        by_key: dict[str, list[Fact]] = {}
        for fact in distinct:
            by_key.setdefault(fact.key, []).append(fact)
        return End(kept, by_key, answers)

    async def seen(self) -> set[str]:
        """Name the ends, the acts and the facts that there were."""
        return {row[0] for row in await self.read(SEEN)}


async def a_moment() -> None:
    """Let others work, before looking again."""
    await wait_at_most(asyncio.Event().wait(), LOOK_S)


@asynccontextmanager
async def keeping_books(fresh: FreshDatabase) -> AsyncIterator[Books]:
    """Open the books of a router's database; it is noon."""
    owner = Database(fresh.owner_dsn, service="test", connections_max=2)
    await owner.start()
    books = Books(owner, await key_for_everybody(fresh))
    await books.stand_at(NOON)
    try:
        yield books
    finally:
        await owner.stop()


async def play(script: Sequence[Step], desk: Desk, books: Books) -> list[tuple[int, str]]:
    """Let it happen, step by step; after each, nothing is wrong. The answers come back."""
    answers = []
    for number, step in enumerate(script):
        if isinstance(step, Told):
            await desk.take(step.envelope)
        elif isinstance(step, Later):
            await books.stand_at(step.moment)
            await desk.pass_time()
        elif (post := await _post(step, books, f"step-{number}")) is not None:
            answers.append(await desk.post(post))
        assert await found_wrong(books.owner) == [], step
    return answers


async def _post(step: Said | Done, books: Books, key: str) -> Post | None:
    """Find what a step is about, as things stand; None when there is no such thing."""
    if isinstance(step, Said) and step.presence == "back":
        return Post("say", f"/specialists/{step.who}/back", {}, key)
    if isinstance(step, Said):
        body: dict[str, object] = {"presence": step.presence, "hand_back": step.hand_back}
        return Post("say", f"/specialists/{step.who}/presence", body, key)
    place, query, act = {
        "accept": ("offers", OFFERS, "accept"),
        "decline": ("offers", OFFERS, "decline"),
        "accept too late": ("offers", SETTLED, "accept"),
        "give up": ("tickets", HELD, "decline"),
        "hand back": ("tickets", HELD, "hand-back"),
        "answer": ("tickets", HELD, "responded"),
        "move": ("tickets", HELD, "move"),
    }[step.what]
    found: list[tuple[UUID, str]] = await books.read(query)
    if not found:
        return None
    subject, who = found[step.which % len(found)]
    body = {"specialist_id": who}
    if act in {"decline", "hand-back"}:
        body["reason"] = "busy"
    if act == "move":
        body = {"to": step.to, "by": "lea", "reason": "knows them"}
    return Post(step.what, f"/{place}/{subject}/{act}", body, key)


def _draw(seed: int, length: int) -> Sequence[Step]:
    """Write a storm: everybody comes, requests pour in, and nobody can be relied upon."""
    random, at_s = Random(seed), 0.0  # noqa: S311 - a simulation
    script: list[Step] = [Told(a_specialist(who, capacity=ROOM)) for who in PEOPLE]
    script += [Said(who, "online") for who in PEOPLE]
    for number in range(length):
        kind = random.random()
        which, who = random.randrange(1000), random.choice(PEOPLE)
        if (number < length // 4 and number % 2) or kind < 0.12:
            name, channel = f"T{number}", random.choice(CHANNELS)
            script.append(Told(a_ticket(name, channel=channel, after_min=at_s / 60)))
        elif kind < 0.2:
            fact = random.choice(ENDS)
            script.append(Told(a_fact(fact, f"T{which % length}", after_min=at_s / 60)))
        elif kind < 0.4:
            script.append(Done("decline", which, who))
        elif kind < 0.52:
            script.append(Done("accept", which, who))
        elif kind < 0.66:
            whats = ("accept too late", "give up", "hand back", "answer", "move")
            script.append(Done(random.choice(whats), which, who))
        elif kind < 0.72:
            word = random.choice(WORDS)
            script.append(Said(who, word, hand_back=word == "away" and random.random() < 0.5))
        elif kind < 0.74:
            script.append(Told(removed(who, after_min=at_s / 60)))
            at_s += 1
            script.append(Later(NOON + timedelta(seconds=at_s)))
            script.append(Told(a_specialist(who, capacity=ROOM, after_min=at_s / 60)))
        else:
            at_s += random.choice(PAUSES_S)
            script.append(Later(NOON + timedelta(seconds=at_s)))
            script += [Said(one, "online") for one in PEOPLE if random.random() < 0.6]
    return script


STORM: Final = _draw(seed=7, length=50)
