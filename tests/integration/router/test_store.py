"""Matching on a real PostgreSQL: several routers, long queues, batches of any size."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from itertools import batched, pairwise
from typing import Any, Final

import pytest
from asyncpg import CheckViolationError
from tests.integration.router.generated_morning import a_morning, channel_of, dice_of
from tests.integration.router.scenario import short_pause

from router.domain.matching import Pool, default_rules
from router.domain.roster import WaitReason
from router.pages import presence
from router.service.routing import RoutingService
from shared.basics.errors import Transient
from shared.events import ClockPaused, ClockResumed, Envelope, Event, TicketClosed, TicketResponded
from shared.platform import processed_events
from shared.platform.postgres import Database
from shared.sla.promises import Channel
from shared.testing.builders import NOON, a_clock, a_fact, a_specialist, a_ticket, minutes
from shared.testing.databases import MakeDatabase

NOW: Final = NOON + timedelta(minutes=45)
BATCH: Final = 500
PIECE_MAX: Final = 1_000
DUE = "SELECT due_at FROM ticket"

ANNOUNCED = """
    SELECT convert_from(value, 'UTF8') AS fact FROM outbox
    WHERE convert_from(value, 'UTF8') LIKE '%specialist_id%'
      AND convert_from(value, 'UTF8') NOT LIKE '%candidates%' ORDER BY id
"""
REPORTED = "SELECT said, away FROM presence JOIN specialist USING (specialist_id)"
UNTIL = "SELECT presence_until FROM presence"
LOCKED_OUT = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
WAITING = "SELECT count(*) FROM ticket WHERE waiting"
TAMPER = "UPDATE capacity SET load = load + 1 WHERE channel = 'email'"
OVERLOAD = "UPDATE capacity SET load = $1 WHERE channel = 'email'"


class LostError(Exception):
    """The transaction failed."""


class Router(Database):
    """A router's connections and cache."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, service="router")
        self.routing = RoutingService(default_rules())


@pytest.fixture
async def routers(database: MakeDatabase) -> AsyncIterator[list[Router]]:
    """Connect three routers to one database."""
    fresh = await database("router")
    made = [Router(fresh.dsn) for _ in range(3)]
    for db in made:
        await db.start()
    yield made
    for db in made:
        await db.stop()


@pytest.fixture
def db(routers: list[Router]) -> Router:
    """Return one of them."""
    return routers[0]


async def apply_batch(db: Router, envelopes: Sequence[Envelope[Event]]) -> None:
    """Apply a batch as the consumer does: halve it if it is refused."""
    try:
        await _apply(db, envelopes)
    except CheckViolationError:
        if len(envelopes) == 1:
            raise
        middle = len(envelopes) // 2
        await apply_batch(db, envelopes[:middle])
        await apply_batch(db, envelopes[middle:])


async def _apply(db: Router, envelopes: Sequence[Envelope[Event]]) -> None:
    async with db.transaction() as tx:
        fresh, _ = await processed_events.claim(tx, (envelope.id for envelope in envelopes))
        await db.routing.apply_events(tx, [e for e in envelopes if e.id in fresh], NOW)


async def announced(db: Database) -> list[dict[str, Any]]:
    """Return the announced events about specialists, in order."""
    async with db.session() as session:
        return [json.loads(row["fact"]) for row in await session.fetch(ANNOUNCED)]


async def waiting(db: Database) -> int:
    """Return the number of waiting tickets."""
    async with db.session() as session:
        return int(await session.fetchval(WAITING))


async def test_a_waiting_ticket_is_assigned_to_a_new_specialist(db: Router) -> None:
    """It waits in the database for any time, and any router assigns it."""
    await apply_batch(db, [a_ticket("T1", language="ja")])
    await apply_batch(db, [a_specialist("ann", languages=("de",))])
    assert await announced(db) == []
    await apply_batch(db, [a_specialist("yui", languages=("ja",))])
    assert [fact["specialist_id"] for fact in await announced(db)] == ["yui"]
    assert await waiting(db) == 0


async def test_a_long_queue_is_assigned_in_several_transactions(db: Router) -> None:
    """10,000 tickets wait when all specialists come: none is left or assigned twice.

    After many allocations in a transaction, further shifts begin in later sweeps.
    """
    tickets = [
        a_ticket(
            f"T{n}", channel=channel_of(n), language=("en", "de", "fr")[n % 7 % 3], after_min=n
        )
        for n in dice_of(1).sample(range(10_000), 10_000)
    ]
    for batch in batched(tickets, BATCH):
        await apply_batch(db, batch)
    assert await waiting(db) == len(tickets)
    room: dict[Channel, int] = {"email": 15, "phone": 10, "chat": 10}
    specialists = [a_specialist(f"s{n}", languages=("en", "de"), capacity=room) for n in range(400)]
    await apply_batch(db, specialists)
    left = [len(tickets), await waiting(db)]
    while left[-1]:
        async with db.transaction() as tx:
            await db.routing.wake(tx, NOW)
        left.append(await waiting(db))
        assert left[-1] < left[-2]
    assert max(before - after for before, after in pairwise(left)) < PIECE_MAX
    facts = await announced(db)
    assert len({fact["ticket_id"] for fact in facts}) == len(facts) == len(tickets)


async def test_a_shift_gets_the_earliest_due_of_a_long_queue(db: Router) -> None:
    """Up to the capacity, over all languages of the specialist."""
    order = dice_of(2).sample(range(2_000), 2_000)
    tickets = [a_ticket(f"T{n}", language=("en", "de")[n % 2], after_min=n) for n in order]
    for batch in batched(tickets, BATCH):
        await apply_batch(db, batch)
    await apply_batch(db, [a_specialist("ann", languages=("de", "en"), capacity={"email": 300})])
    earliest = sorted(tickets, key=lambda ticket: ticket.time)[:300]
    assert [fact["ticket_id"] for fact in await announced(db)] == [
        ticket.event.subject for ticket in earliest
    ]


async def test_routers_together_never_exceed_a_capacity(routers: list[Router]) -> None:
    """No load exceeds a capacity, and no specialist with room is left without a ticket."""
    team = [a_specialist(f"s{n}", capacity={"email": 3}) for n in range(4)]
    await apply_batch(routers[0], team)

    async def work(number: int) -> None:
        """Consume the router's own partitions."""
        names = [f"R{number}-{n}" for n in range(60)]
        records = [a_ticket(name) for name in names]
        records += [a_fact(TicketResponded, name, after_min=1) for name in names[:40]]
        for batch in batched(records, 5):
            await apply_batch(routers[number], batch)

    await asyncio.gather(*(work(number) for number in range(len(routers))))
    held: Counter[str] = Counter()
    for fact in await announced(routers[0]):
        held[fact["specialist_id"]] += 1 if "due_at" in fact else -1
        assert held[fact["specialist_id"]] <= 3
    assert await waiting(routers[0]) == 60 - held.total()
    assert held.total() == 12


async def test_a_specialist_listed_while_a_ticket_arrives_gets_it(routers: list[Router]) -> None:
    """Two routers at work at the same time do not miss what the other has just saved."""
    for n in range(20):
        language = f"x{chr(ord('a') + n)}"
        await asyncio.gather(
            apply_batch(routers[0], [a_ticket(f"T{n}", language=language)]),
            apply_batch(routers[1], [a_specialist(f"s{n}", languages=(language,))]),
        )
    assert await waiting(routers[0]) == 0
    assert len(await announced(routers[0])) == 20


async def test_a_load_changed_without_a_record_is_not_overwritten(routers: list[Router]) -> None:
    """Without a recorded change, other routers reload the roster and decide again."""
    mine, other = routers[:2]
    await apply_batch(mine, [a_specialist("ann", capacity={"email": 2})])
    async with other.transaction() as theirs:
        await theirs.execute(TAMPER)
    with pytest.raises(Transient, match="decide again"):
        await apply_batch(mine, [a_ticket("T1")])
    await apply_batch(mine, [a_ticket("T1"), a_ticket("T2")])
    assert await waiting(mine) == 1


@pytest.mark.parametrize(
    ("more", "load", "error"),
    [
        ({"capacity": {"email": 1}}, 2, "ann would hold 2 on email and can hold 1"),
        ({"universal": {"capacity": 5, "weights": {"email": 3}}}, 2, "hold 6 across channels"),
    ],
)
async def test_postgresql_refuses_what_exceeds_a_capacity(
    db: Router, more: dict[str, Any], load: int, error: str
) -> None:
    """Whatever a router has cached."""
    await apply_batch(db, [a_specialist("ann", **{"capacity": {"email": 2}, **more})])
    with pytest.raises(CheckViolationError, match=error):
        async with db.transaction() as tx:
            await tx.execute(OVERLOAD, load)


async def test_a_commit_without_a_response_is_resolved(db: Router) -> None:
    """The cache rolls the changes back, and loads them if they were committed."""
    await apply_batch(db, [a_specialist("ann"), a_specialist("bo")])
    with pytest.raises(LostError):
        async with db.transaction() as tx:
            await db.routing.apply_events(tx, [a_ticket("T1")], NOW)
            raise LostError
    async with db.transaction() as tx:
        await db.routing.apply_events(tx, [a_ticket("T2")], NOW)
        tx.after_commit.clear()
    await apply_batch(db, [a_ticket("T3"), a_ticket("T4")])
    facts = [(fact["specialist_id"], "due_at" in fact) for fact in await announced(db)]
    assert sorted(facts) == [("ann", True), ("bo", True)]
    assert await waiting(db) == 1


async def test_a_router_learns_what_another_changed(routers: list[Router]) -> None:
    """New specialists, loads, and pools in which no ticket has waited before."""
    mine, other = routers[:2]
    await apply_batch(mine, [])
    await apply_batch(
        other, [a_specialist("yui", languages=("ja",)), a_ticket("T1", language="ja")]
    )
    await apply_batch(mine, [a_ticket("T2", language="ja")])
    await apply_batch(other, [a_ticket("T3", role="seat", language="ko")])
    assert await waiting(mine) == 2
    await apply_batch(mine, [a_specialist("min", languages=("ko",))])
    await apply_batch(other, [a_fact(TicketResponded, "T1", after_min=1)])
    who = [fact["specialist_id"] for fact in await announced(mine)]
    assert who == ["yui", "min", "yui", "yui"]
    assert await waiting(mine) == 0


async def test_the_reason_for_waiting_is_current(db: Router) -> None:
    """Not the reason from when the wait began; and reading it does not block decisions."""
    pool = Pool("chat", "ja", 0, ())

    async def why() -> WaitReason:
        async with db.transaction() as tx:
            return (await db.routing.why_waiting(tx, [pool]))[pool]

    await apply_batch(db, [a_specialist("yui", languages=("ja",), presence="offline")])
    await apply_batch(db, [a_ticket("T1", language="ja", channel="chat")])
    assert await why() == "no_shift"
    async with db.transaction() as tx:
        there = a_specialist("yui", languages=("ja",), capacity={"chat": 1}, after_min=1)
        await db.routing.apply_events(tx, [there], NOW)
        assert await why() == "no_shift"
    assert await why() == "no_capacity"
    await apply_batch(db, [a_fact(TicketClosed, "T1")])
    await apply_batch(db, [a_ticket("T2", language="ja", channel="chat")])
    assert [fact["specialist_id"] for fact in await announced(db)] == ["yui"] * 3


@pytest.mark.parametrize(("chosen", "away"), [("away", "said"), ("online", None)])
async def test_a_specialist_set_away_as_a_page_opens_stays_away(
    db: Router, chosen: str, away: str | None
) -> None:
    """The page renews the presence only, whatever it has read before."""
    await apply_batch(db, [a_specialist("ann")])
    async with db.transaction() as tx:
        await presence.set_presence(db.routing, tx, "ann", chosen, NOW)
        opens = asyncio.create_task(open_a_page(db, "ann"))
        async with db.session() as session:
            while not opens.done() and not await session.fetchval(LOCKED_OUT):
                await short_pause()
    await opens
    async with db.session() as session:
        assert tuple(*await session.fetch(REPORTED)) == ("online", away)


@pytest.mark.parametrize("first", ["heartbeat", "away"])
async def test_a_simultaneous_heartbeat_and_click_both_apply(db: Router, first: str) -> None:
    """In either order of commit: the click neither waits for a heartbeat nor is undone by one."""
    await apply_batch(db, [a_specialist("ann")])
    await open_a_page(db, "ann")

    async def click() -> None:
        async with db.transaction() as tx:
            await presence.set_presence(db.routing, tx, "ann", "away", NOW)

    async def heartbeat() -> None:
        async with db.transaction() as tx:
            await presence.renew(db.routing, tx, "ann", NOW + timedelta(seconds=5))

    async with db.transaction() as tx:
        if first == "heartbeat":
            await presence.renew(db.routing, tx, "ann", NOW + timedelta(seconds=5))
            await click()
        else:
            await presence.set_presence(db.routing, tx, "ann", "away", NOW)
            await heartbeat()
    async with db.session() as session:
        assert tuple(*await session.fetch(REPORTED)) == ("online", "said")
        assert await session.fetchval(UNTIL) == NOW + timedelta(seconds=20)


async def open_a_page(db: Router, name: str) -> None:
    """Renew a specialist's presence as an open page does."""
    async with db.transaction() as tx:
        await presence.renew(db.routing, tx, name, NOW)


async def test_batches_make_no_difference(database: MakeDatabase) -> None:
    """The announced events are the same for any size of batches."""
    records = a_morning(dice_of(3))
    outcomes = []
    for size in (len(records), 37, 5, 1):
        db = Router((await database("router")).dsn)
        await db.start()
        for batch in batched(records, size):
            await apply_batch(db, batch)
        outcomes.append(await announced(db))
        await db.stop()
    assert len(outcomes[0]) > 150
    assert all(outcome == outcomes[0] for outcome in outcomes)


async def test_a_due_time_is_stored_with_its_ticket(db: Router) -> None:
    """A repeated record of the clock changes nothing."""
    paused = a_clock(ClockPaused, "T1", after_min=1)
    resumed = a_clock(ClockResumed, "T1", due_min=90, after_min=2)
    await apply_batch(db, [a_ticket("T1")])
    await apply_batch(db, [paused])
    async with db.session() as session:
        assert await session.fetchval(DUE) is None
    await apply_batch(db, [resumed])
    await apply_batch(db, [paused])
    async with db.session() as session:
        assert await session.fetchval(DUE) == NOON + minutes(90)
