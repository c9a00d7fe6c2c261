"""Matching on a real PostgreSQL: several routers at once, long queues, any cut into batches."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from itertools import batched
from random import Random
from typing import Any, Final

import pytest

from router import handlers, store
from router.domain import Desk
from router.offers.rules import Rules
from shared import inbox
from shared.errors import Transient
from shared.events import (
    CustomerReached,
    Envelope,
    Event,
    Presence,
    TicketClosed,
    TicketReopened,
    TicketResponded,
)
from shared.postgres import Database
from shared.promises import Channel, Role
from shared.testing.builders import (
    NOON,
    a_specialist,
    a_ticket,
    gone,
    minutes,
    promised,
    reclassified,
    told,
)
from shared.testing.databases import MakeDatabase

ONE: Final = NOON + timedelta(hours=1)
BATCH: Final = 500
BEFORE_BOTH_PRICES = "UPDATE ticket SET due_by_severity = DEFAULT"
DUE = "SELECT due_at FROM ticket"
ROLES: Final[tuple[Role, ...]] = ("super_admin", "seat")
PRESENCES: Final[tuple[Presence, ...]] = ("online", "online", "online", "away")

ANNOUNCED = """
    SELECT convert_from(value, 'UTF8') AS fact FROM outbox
    WHERE convert_from(value, 'UTF8') LIKE '%specialist_id%' ORDER BY id
"""
WAITING = "SELECT count(*) FROM ticket WHERE waiting"
TAMPER = "UPDATE capacity SET load = load + 1"


@pytest.fixture
async def routers(database: MakeDatabase) -> AsyncIterator[list[Database]]:
    """Connect three routers to one database, with a router's rights."""
    fresh = await database("router")
    made = [Database(fresh.dsn, service="router") for _ in range(3)]
    for db in made:
        await db.start()
    yield made
    for db in made:
        await db.stop()


@pytest.fixture
def db(routers: list[Database]) -> Database:
    """Take one of them."""
    return routers[0]


async def take(db: Database, envelopes: Sequence[Envelope[Event]]) -> None:
    """Do what the consumer does with a batch."""
    async with db.transaction() as tx:
        fresh, _ = await inbox.claim(tx, (envelope.id for envelope in envelopes))
        await handlers.take(tx, [e for e in envelopes if e.id in fresh], ONE)


async def announced(db: Database) -> list[dict[str, Any]]:
    """Read what was announced of specialists, in order."""
    async with db.session() as session:
        return [json.loads(row["fact"]) for row in await session.fetch(ANNOUNCED)]


async def waiting(db: Database) -> int:
    """Count who waits."""
    async with db.session() as session:
        return int(await session.fetchval(WAITING))


async def test_a_ticket_nobody_can_take_goes_to_who_appears(db: Database) -> None:
    """It waits in the database, however long, and for whichever router."""
    await take(db, [a_ticket("T1", language="ja")])
    await take(db, [a_specialist("ann", languages=("de",))])
    assert await announced(db) == []
    await take(db, [a_specialist("yui", languages=("ja",))])
    assert [fact["specialist_id"] for fact in await announced(db)] == ["yui"]
    assert await waiting(db) == 0


async def test_a_long_queue_goes_at_once(db: Database) -> None:
    """When a shift begins, 10,000 who wait are assigned in that batch, the earliest due first."""
    tickets = [
        a_ticket(f"T{n}", channel=_channel(n), language=("en", "de", "fr")[n % 7 % 3], after_min=n)
        for n in _dice(1).sample(range(10_000), 10_000)
    ]
    for batch in batched(tickets, BATCH):
        await take(db, batch)
    assert await waiting(db) == len(tickets)
    room: dict[Channel, int] = {"email": 1_000, "phone": 1_000, "chat": 1_000}
    await take(
        db,
        [a_specialist(f"s{n}", languages=("en", "de"), capacity=room) for n in range(10)],
    )
    facts = await announced(db)
    assert await waiting(db) == 0
    assert len({fact["ticket_id"] for fact in facts}) == len(facts) == len(tickets)


async def test_a_shift_takes_the_earliest_due_of_a_long_queue(db: Database) -> None:
    """As many as it has room for, over all languages it speaks."""
    order = _dice(2).sample(range(2_000), 2_000)
    tickets = [a_ticket(f"T{n}", language=("en", "de")[n % 2], after_min=n) for n in order]
    for batch in batched(tickets, BATCH):
        await take(db, batch)
    await take(db, [a_specialist("ann", languages=("de", "en"), capacity={"email": 300})])
    earliest = sorted(tickets, key=lambda ticket: ticket.time)[:300]
    assert [fact["ticket_id"] for fact in await announced(db)] == [
        ticket.event.subject for ticket in earliest
    ]


async def test_routers_together_never_exceed_a_capacity(routers: list[Database]) -> None:
    """Nobody ever holds more than they can, and nobody who has room is left without work."""
    team = [a_specialist(f"s{n}", capacity={"email": 3}) for n in range(4)]
    await take(routers[0], team)

    async def work(number: int) -> None:
        """Consume partitions of one's own."""
        names = [f"R{number}-{n}" for n in range(60)]
        records = [a_ticket(name) for name in names]
        records += [told(TicketResponded, name, after_min=1) for name in names[:40]]
        for batch in batched(records, 5):
            await take(routers[number], batch)

    await asyncio.gather(*(work(number) for number in range(len(routers))))
    held: Counter[str] = Counter()
    for fact in await announced(routers[0]):
        held[fact["specialist_id"]] += 1 if "due_at" in fact else -1
        assert held[fact["specialist_id"]] <= 3
    assert await waiting(routers[0]) == 60 - held.total()
    assert held.total() == 12


async def test_who_joins_while_a_ticket_comes_gets_it(routers: list[Database]) -> None:
    """Neither of two routers at work at the same time may miss what the other just saved."""
    for n in range(20):
        language = f"x{chr(ord('a') + n)}"
        await asyncio.gather(
            take(routers[0], [a_ticket(f"T{n}", language=language)]),
            take(routers[1], [a_specialist(f"s{n}", languages=(language,))]),
        )
    assert await waiting(routers[0]) == 0
    assert len(await announced(routers[0])) == 20


async def test_a_load_that_changed_meanwhile_is_not_overwritten(routers: list[Database]) -> None:
    """Should the lock ever fail, the batch is decided anew instead of exceeding a capacity."""
    mine, other = routers[:2]
    await take(mine, [a_specialist("ann")])
    with pytest.raises(Transient, match="decide again"):
        async with mine.transaction() as tx:
            desk = Desk(await store.load_roster(tx, ONE), [], ONE, Rules())
            async with other.transaction() as theirs:
                await theirs.execute(TAMPER)
            desk.apply(a_ticket("T1"))
            await store.save(tx, desk)


async def test_batches_make_no_difference(database: MakeDatabase) -> None:
    """However the records are cut, the same facts are announced."""
    records = _a_morning(_dice(3))
    outcomes = []
    for size in (len(records), 37, 5, 1):
        db = Database((await database("router")).dsn, service="router")
        await db.start()
        for batch in batched(records, size):
            await take(db, batch)
        outcomes.append(await announced(db))
        await db.stop()
    assert len(outcomes[0]) > 150
    assert all(outcome == outcomes[0] for outcome in outcomes)


def _dice(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - the same for every run


def _channel(number: int) -> Channel:
    channels: tuple[Channel, ...] = ("email", "email", "phone", "chat")
    return channels[number % len(channels)]


def _a_morning(dice: Random) -> list[Envelope[Event]]:
    """Tell of 200 tickets, and of a team of six who come and go, too small for them."""
    placed = [*_requests(dice), *_shifts(dice)]
    return [record for _, record in sorted(placed, key=lambda pair: pair[0])]


def _requests(dice: Random) -> Iterator[tuple[float, Envelope[Event]]]:
    for n in range(200):
        yield (
            n,
            a_ticket(
                f"T{n}",
                channel=_channel(n),
                language=dice.choice(["en", "en", "de", "fr-CA", "ja"]),
                role=dice.choice(ROLES),
                account_id=f"account-{dice.randrange(20)}",
                after_min=n,
            ),
        )
        end = dice.choice([TicketResponded, CustomerReached, TicketClosed])
        yield n + dice.randrange(60), told(end, f"T{n}", after_min=n + 60)
        if n % 9 == 0:
            yield n + 5, reclassified(f"T{n}", "business_critical", after_min=n + 1)
        if n % 11 == 0:
            yield n + 70, told(TicketReopened, f"T{n}", after_min=n + 90)


def _shifts(dice: Random) -> Iterator[tuple[float, Envelope[Event]]]:
    for n in range(0, 200, 4):
        who = f"s{n % 6}"
        if dice.random() < 0.1:
            yield n, gone(who, after_min=n)
            continue
        yield (
            n,
            a_specialist(
                who,
                languages=dice.choice([("en",), ("de", "en"), ("fr",)]),
                capacity={"email": dice.randrange(5), "phone": 2, "chat": 2},
                presence=dice.choice(PRESENCES),
                after_min=n,
            ),
        )


@pytest.mark.parametrize(("before", "due_min"), [(False, 7), (True, 30)])
async def test_both_due_times_outlive_the_transaction(
    db: Database, *, before: bool, due_min: int
) -> None:
    """A correction finds what the fact said; a row of before is priced by the built-in policy."""
    (critical,) = promised(NOON, severity="business_critical")
    otherwise = (critical.model_copy(update={"due_at": NOON + minutes(7)}),)
    await take(db, [a_ticket("T1", otherwise=otherwise)])
    async with db.transaction() as tx:
        if before:
            await tx.execute(BEFORE_BOTH_PRICES)
    await take(db, [reclassified("T1", "business_critical", after_min=1)])
    async with db.session() as session:
        assert await session.fetchval(DUE) == NOON + minutes(due_min)
