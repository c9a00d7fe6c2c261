"""A scenario with declines, expiring leases and absent specialists, and the result of a run.

The result depends on the scenario alone: business time stands still during a step, and each step
completes before the next one. So it is the same, whatever faults occur meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from tests.chaos.invariants import PublishedFact, violations_in_facts, violations_in_tables
from tests.integration.router.keys import key_for_all_specialists

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
    "SCENARIO",
    "CommandRequest",
    "Observer",
    "RouterUnderTest",
    "RunResult",
    "Step",
    "observing",
    "run_scenario",
    "short_pause",
]

PEOPLE: Final = ("ann", "ben", "cy", "dee", "eli")
ROOM: Final[dict[Channel, int]] = {"email": 2, "phone": 1, "chat": 2}
CHANNELS: Final[tuple[Channel, ...]] = ("chat", "chat", "phone", "email")
WORDS: Final = ("online", "back", "back", "away", "offline")
ENDS: Final = (TicketClosed, TicketReopened, TicketResolved, TicketResponded)
PAUSES_S: Final = (3, 5, 9, 16, 21, 40)
PAUSE_S: Final = 0.01
TRACE: Final = {"traceparent": "00-" + "1" * 32 + "-" + "1" * 16 + "-01"}

SET_TIME: Final = """
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
DUE_TIMERS: Final = """
    SELECT (SELECT count(*) FROM ticket WHERE wakes_at <= premium_now())
         + (SELECT count(*) FROM presence WHERE presence_until <= premium_now())
         + (SELECT count(*) FROM specialist WHERE turns_at <= premium_now())
"""
COMPARED: Final = {
    "ticket": "SELECT * FROM ticket",
    "capacity": "SELECT * FROM capacity",
    "offer": "SELECT * FROM offer",
    "presence": "SELECT * FROM presence",
    "specialist": "SELECT * FROM specialist",
    "account_affinity": "SELECT * FROM account_affinity",
    "decision": "SELECT * FROM decision",
    "coverage": "SELECT * FROM coverage",
    "infeasible": "SELECT * FROM infeasible",
    # Without `act_id` and `tx`: a repeated transaction gets other numbers.
    "act": """
        SELECT kind, subject, actor, at, from_id, to_id, reason, ticket_id, outcome, specialist_id
        FROM act
    """,
    "ticket_history": "SELECT ticket_id, at, type, specialist_id, fact FROM ticket_history",
    "processed_event": "SELECT event_id FROM processed_event",
    "dead_letter": "SELECT topic, reason, detail FROM dead_letter",
}
ROWS: Final = 'SELECT t::text FROM ({query}) AS t ORDER BY t::text COLLATE "C"'
KINDS_SEEN: Final = """
    SELECT state FROM offer UNION SELECT kind FROM act
    UNION SELECT type FROM ticket_history WHERE type LIKE 'premium.assignment.%'
"""


@dataclass(frozen=True)
class UpstreamEvent:
    """An upstream event is published."""

    envelope: Envelope[Event]


@dataclass(frozen=True)
class Later:
    """Business time moves on."""

    moment: datetime


@dataclass(frozen=True)
class ReportedPresence:
    """A specialist reports a presence, or ends being away."""

    who: str
    presence: str
    hand_back: bool = False


@dataclass(frozen=True)
class CommandOnOffer:
    """A command on one of the open, ended or accepted offers, the ``which``-th."""

    what: str
    which: int
    to: str


type Step = UpstreamEvent | Later | ReportedPresence | CommandOnOffer


class CommandRequest(NamedTuple):
    """A command as an HTTP request, with its kind and idempotency key."""

    what: str
    path: str
    body: dict[str, object]
    idempotency_key: str


class RouterUnderTest(Protocol):
    """Router, in whatever way it runs; each call returns when all effects are complete."""

    async def apply(self, envelope: Envelope[Event]) -> None:
        """Apply an upstream event."""

    async def post(self, post: CommandRequest) -> tuple[int, str]:
        """Send a command until it has a response; return the response."""

    async def pass_time(self) -> None:
        """Apply all timers that are due."""


class RunResult(NamedTuple):
    """The result of a run: rows by table, events by key, and responses."""

    rows: dict[str, list[str]]
    events: dict[str, list[PublishedFact]]
    answers: list[tuple[int, str]]


class Observer:
    """Sets router's business time and reads its tables, retrying while the server is down."""

    def __init__(self, owner: Database, key: str) -> None:
        self.owner = owner
        self._headers = {**TRACE, "authorization": f"Bearer {key}"}

    def headers(self, post: CommandRequest) -> dict[str, str]:
        """Return the headers of a command."""
        return {**self._headers, "idempotency-key": post.idempotency_key}

    async def set_time(self, moment: datetime) -> None:
        """Set the business time."""
        await self.execute(SET_TIME.format(moment.isoformat()))

    async def execute(self, statement: str) -> None:
        """Execute a statement, retrying while the server is down."""
        await self.read(statement)

    async def read(self, query: str) -> list[Any]:
        """Return the rows of a query, retrying while the server is down."""
        while True:
            try:
                async with self.owner.session() as session:
                    return [tuple(row) for row in await session.fetch(query)]
            except Transient:
                await short_pause()

    async def nothing_is_due(self) -> bool:
        """Return whether no timer is due."""
        return await self.read(DUE_TIMERS) == [(0,)]

    async def end(
        self, facts: Sequence[PublishedFact], answers: list[tuple[int, str]]
    ) -> RunResult:
        """Return the result of the run, in which no invariant may be violated."""
        assert await violations_in_tables(self.owner) == []
        distinct = list(dict.fromkeys(facts))  # a record may be published twice
        assert await violations_in_facts(self.owner, distinct) == []
        rows = {
            name: [row[0] for row in await self.read(ROWS.format(query=query))]
            for name, query in COMPARED.items()
        }
        by_key: dict[str, list[PublishedFact]] = {}
        for fact in distinct:
            by_key.setdefault(fact.key, []).append(fact)
        return RunResult(rows, by_key, answers)

    async def kinds_seen(self) -> set[str]:
        """Return the kinds of offers' ends, commands and assignment events that occurred."""
        return {row[0] for row in await self.read(KINDS_SEEN)}


async def short_pause() -> None:
    """Wait for a short time, to poll again."""
    await wait_at_most(asyncio.Event().wait(), PAUSE_S)


@asynccontextmanager
async def observing(fresh: FreshDatabase) -> AsyncIterator[Observer]:
    """Open a connection to a router's database and set its time to noon."""
    owner = Database(fresh.owner_dsn, service="test", connections_max=2)
    await owner.start()
    observer = Observer(owner, await key_for_all_specialists(fresh))
    await observer.set_time(NOON)
    try:
        yield observer
    finally:
        await owner.stop()


async def run_scenario(
    script: Sequence[Step], router: RouterUnderTest, observer: Observer
) -> list[tuple[int, str]]:
    """Run a scenario step by step, checking the invariants after each; return the responses."""
    answers = []
    for number, step in enumerate(script):
        if isinstance(step, UpstreamEvent):
            await router.apply(step.envelope)
        elif isinstance(step, Later):
            await observer.set_time(step.moment)
            await router.pass_time()
        elif (post := await _command(step, observer, f"step-{number}")) is not None:
            answers.append(await router.post(post))
        assert await violations_in_tables(observer.owner) == [], step
    return answers


async def _command(
    step: ReportedPresence | CommandOnOffer, observer: Observer, key: str
) -> CommandRequest | None:
    """Build the command of a step from the present state; None if there is no subject for it."""
    if isinstance(step, ReportedPresence) and step.presence == "back":
        return CommandRequest("say", f"/specialists/{step.who}/back", {}, key)
    if isinstance(step, ReportedPresence):
        body: dict[str, object] = {"presence": step.presence, "hand_back": step.hand_back}
        return CommandRequest("say", f"/specialists/{step.who}/presence", body, key)
    place, query, act = {
        "accept": ("offers", OFFERS, "accept"),
        "decline": ("offers", OFFERS, "decline"),
        "accept too late": ("offers", SETTLED, "accept"),
        "give up": ("tickets", HELD, "decline"),
        "hand back": ("tickets", HELD, "hand-back"),
        "answer": ("tickets", HELD, "responded"),
        "move": ("tickets", HELD, "move"),
    }[step.what]
    found: list[tuple[UUID, str]] = await observer.read(query)
    if not found:
        return None
    subject, who = found[step.which % len(found)]
    body = {"specialist_id": who}
    if act in {"decline", "hand-back"}:
        body["reason"] = "busy"
    if act == "move":
        body = {"to": step.to, "by": "lea", "reason": "knows them"}
    return CommandRequest(step.what, f"/{place}/{subject}/{act}", body, key)


def _generate(seed: int, length: int) -> Sequence[Step]:
    """Generate a scenario: specialists come online, then requests, commands and pauses mix."""
    random, at_s = Random(seed), 0.0  # noqa: S311 - a simulation
    script: list[Step] = [UpstreamEvent(a_specialist(who, capacity=ROOM)) for who in PEOPLE]
    script += [ReportedPresence(who, "online") for who in PEOPLE]
    for number in range(length):
        kind = random.random()
        which, who = random.randrange(1000), random.choice(PEOPLE)
        if (number < length // 4 and number % 2) or kind < 0.12:
            name, channel = f"T{number}", random.choice(CHANNELS)
            script.append(UpstreamEvent(a_ticket(name, channel=channel, after_min=at_s / 60)))
        elif kind < 0.2:
            fact = random.choice(ENDS)
            script.append(UpstreamEvent(a_fact(fact, f"T{which % length}", after_min=at_s / 60)))
        elif kind < 0.4:
            script.append(CommandOnOffer("decline", which, who))
        elif kind < 0.52:
            script.append(CommandOnOffer("accept", which, who))
        elif kind < 0.66:
            kinds = ("accept too late", "give up", "hand back", "answer", "move")
            script.append(CommandOnOffer(random.choice(kinds), which, who))
        elif kind < 0.72:
            presence = random.choice(WORDS)
            script.append(
                ReportedPresence(
                    who, presence, hand_back=presence == "away" and random.random() < 0.5
                )
            )
        elif kind < 0.74:
            script.append(UpstreamEvent(removed(who, after_min=at_s / 60)))
            at_s += 1
            script.append(Later(NOON + timedelta(seconds=at_s)))
            script.append(UpstreamEvent(a_specialist(who, capacity=ROOM, after_min=at_s / 60)))
        else:
            at_s += random.choice(PAUSES_S)
            script.append(Later(NOON + timedelta(seconds=at_s)))
            script += [ReportedPresence(one, "online") for one in PEOPLE if random.random() < 0.6]
    return script


SCENARIO: Final = _generate(seed=7, length=50)
