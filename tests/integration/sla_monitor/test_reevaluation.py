"""A change of exceptions reaches every ticket it concerns, however many, and stops nothing."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, Final
from uuid import uuid5

import pytest

from shared.events import (
    NAMESPACE,
    CustomerReplied,
    Envelope,
    Event,
    PolicyPublished,
    TicketAbsorbed,
    TicketAccepted,
    TicketResponded,
    ticket_id_of,
)
from shared.platform.postgres import Database
from shared.sla.policies import Policy, default_policy
from shared.testing.builders import NOON, a_fact, a_ticket, minutes
from shared.testing.databases import MakeDatabase
from sla_monitor.partitions import Partitions
from sla_monitor.reevaluator import CHUNK_MAX, Reevaluator, reevaluate
from sla_monitor.service import Folding

MANY: Final = 1_500
BATCH: Final = 300
CLASSES: Final = "SELECT promise_class, exception FROM clock"
REPRICED: Final = """
    SELECT id, convert_from(value, 'UTF8') AS fact FROM outbox
    WHERE headers LIKE '%premium.clock.repriced.v1%' ORDER BY id
"""
DONE: Final = "SELECT done, finished_at IS NOT NULL AS finished FROM reevaluation ORDER BY 1"
RELAY: Final = """
    WITH gone AS (
        DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT 100)
    )
    SELECT count(*) AS unsent FROM outbox
"""


async def four() -> int:
    """Count the partitions."""
    return 4


@pytest.fixture
async def db(database: MakeDatabase) -> AsyncIterator[Database]:
    """Connect as sla-monitor."""
    db = Database((await database("sla_monitor")).dsn, service="sla-monitor")
    await db.start()
    yield db
    await db.stop()


@pytest.fixture
async def folding(db: Database) -> Folding:
    """Know the partitions."""
    partitions = Partitions(db, four)
    await partitions.start()
    return Folding(partitions)


async def take(db: Database, folding: Folding, *facts: Envelope[Event]) -> None:
    """Do what the consumer does with a batch, an hour after noon at the latest."""
    async with db.transaction() as tx:
        await folding.take(tx, facts, NOON + minutes(50))


async def many(db: Database, folding: Folding) -> None:
    """Accept tickets with a guarantee, one a second from noon on."""
    for first in range(0, MANY, BATCH):
        tickets = (a_ticket(f"T{n}", after_min=n / 60) for n in range(first, first + BATCH))
        await take(db, folding, *tickets)


def declared(*spans: tuple[str, float, float]) -> Envelope[Event]:
    """Publish the built-in policy with exceptions, each from and to so long after noon."""
    windows = [
        {
            "name": name,
            "reason": "A storm.",
            "starts_at": NOON + minutes(since),
            "ends_at": NOON + minutes(until),
        }
        for name, since, until in spans
    ]
    policy = Policy.model_validate({**default_policy().document, "exceptions": windows})
    event = PolicyPublished(policy_id=policy.policy_id, version=policy.version, document=policy)
    return Envelope(uuid5(NAMESPACE, policy.version), "test", NOON, event)


async def rows(db: Database, query: str) -> list[Any]:
    """Read."""
    async with db.session() as session:
        return await session.fetch(query)


async def classes(db: Database) -> Counter[tuple[str, str | None]]:
    """Count clocks by class and exception."""
    return Counter((row["promise_class"], row["exception"]) for row in await rows(db, CLASSES))


async def repriced(db: Database) -> list[dict[str, Any]]:
    """Read the announcements of changed classes."""
    return [json.loads(row["fact"]) for row in await rows(db, REPRICED)]


async def finish(db: Database, folding: Folding) -> None:
    """Judge again all that is left."""
    while await reevaluate(db, folding):
        pass


async def test_a_change_is_saved_at_once_and_done_in_chunks(db: Database, folding: Folding) -> None:
    """The transaction of the policy judges no ticket; each chunk judges no more than its limit."""
    await many(db, folding)
    await take(db, folding, declared(("storm", 0, 60)))
    assert await classes(db) == {("guarantee", None): MANY}
    for number in range(1, MANY // CHUNK_MAX + 1):
        assert await reevaluate(db, folding)
        assert (await classes(db))["objective", "storm"] == number * CHUNK_MAX
    await finish(db, folding)
    assert await classes(db) == {("objective", "storm"): MANY}
    assert len({fact["ticket_id"] for fact in await repriced(db)}) == MANY
    assert [tuple(row) for row in await rows(db, DONE)] == [(MANY, True)]


async def test_a_correction_does_not_wait_for_what_it_corrects(
    db: Database, folding: Folding
) -> None:
    """A corrected policy is in force at once; tickets end as it says, wherever the work stood."""
    await many(db, folding)
    await take(db, folding, declared(("storm", 0, 60)))
    await reevaluate(db, folding)
    await take(db, folding, declared(("storm", 10, 60)))
    late = a_ticket("late", after_min=5)
    await take(db, folding, late)
    await finish(db, folding)
    covered = MANY - 10 * 60
    assert await classes(db) == {
        ("guarantee", None): 10 * 60 + 1,
        ("objective", "storm"): covered,
    }


async def test_work_goes_on_after_a_restart(db: Database, folding: Folding) -> None:
    """Another process continues where the first one stopped; no ticket is announced twice."""
    await many(db, folding)
    await take(db, folding, declared(("storm", 0, 60)))
    await reevaluate(db, folding)
    partitions = Partitions(db, four)
    await partitions.start()
    await finish(db, Folding(partitions))
    announced = Counter(fact["ticket_id"] for fact in await repriced(db))
    assert set(announced.values()) == {1}
    assert len(announced) == MANY


async def test_work_waits_for_the_relay(db: Database, folding: Folding) -> None:
    """A slow relay is never far behind because of it: what falls due would queue behind it."""
    await many(db, folding)
    await take(db, folding, declared(("storm", 0, 60)))
    reevaluator = Reevaluator(db, folding)
    await reevaluator.start()
    unsent: list[int] = []
    while not (await rows(db, DONE))[0]["finished"]:
        unsent.append((await rows(db, RELAY))[0]["unsent"])
    await reevaluator.stop()
    assert await classes(db) == {("objective", "storm"): MANY}
    assert max(unsent) == unsent[0]


def a_reply_later() -> list[Envelope[Event]]:
    """Promise answers to later replies, too; the customer replies long after the first answer."""
    ticket = a_ticket("in")
    assert isinstance(ticket.event, TicketAccepted)
    promises = (
        *ticket.event.promises,
        ticket.event.promises[0].model_copy(update={"kind": "next_response"}),
    )
    event = ticket.event.model_copy(update={"promises": promises})
    return [
        replace(ticket, event=event),
        a_fact(TicketResponded, "in", after_min=1),
        a_fact(CustomerReplied, "in", after_min=45),
    ]


def an_older_duplicate() -> list[Envelope[Event]]:
    """Merge a duplicate into the ticket, whose promises then count from its create date."""
    absorbed = TicketAbsorbed(
        ticket_id=ticket_id_of("test", "in"),
        absorbed=ticket_id_of("test", "old"),
        create_date=NOON - minutes(120),
    )
    merge = Envelope(uuid5(NAMESPACE, "merge"), "test", NOON + minutes(1), absorbed)
    return [a_ticket("in"), merge]


@pytest.mark.parametrize("history", [a_reply_later, an_older_duplicate])
async def test_a_ticket_is_found_by_its_create_date(
    db: Database, folding: Folding, history: Callable[[], list[Envelope[Event]]]
) -> None:
    """It is covered by when it was created, though its clocks started before or after."""
    await take(db, folding, *history())
    await take(db, folding, declared(("storm", -1, 1)))
    await finish(db, folding)
    assert {name for _, name in await classes(db)} == {"storm"}


async def test_a_span_without_a_guarantee_is_passed(db: Database, folding: Folding) -> None:
    """Objectives stay as they are; nothing is announced, and the work ends."""
    await take(db, folding, *(a_ticket(f"T{n}", role="seat") for n in range(BATCH)))
    await take(db, folding, declared(("storm", -1, 1)))
    await finish(db, folding)
    assert await classes(db) == {("objective", None): BATCH}
    assert await repriced(db) == []
    assert [tuple(row) for row in await rows(db, DONE)] == [(0, True)]
