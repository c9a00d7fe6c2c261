"""A change of exceptions affects every ticket it concerns, without blocking others."""

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
from sla_monitor.service import ClockService

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
    """Return the number of partitions."""
    return 4


@pytest.fixture
async def db(database: MakeDatabase) -> AsyncIterator[Database]:
    """Connect as sla-monitor."""
    db = Database((await database("sla_monitor")).dsn, service="sla-monitor")
    await db.start()
    yield db
    await db.stop()


@pytest.fixture
async def clock_service(db: Database) -> ClockService:
    """Make the service with its partitions."""
    partitions = Partitions(db, four)
    await partitions.start()
    return ClockService(partitions)


async def handle(db: Database, clock_service: ClockService, *facts: Envelope[Event]) -> None:
    """Handle a batch as the consumer does, at most an hour after noon."""
    async with db.transaction() as tx:
        await clock_service.handle(tx, facts, NOON + minutes(50))


async def many(db: Database, clock_service: ClockService) -> None:
    """Accept tickets with a guarantee, one a second from noon on."""
    for first in range(0, MANY, BATCH):
        tickets = (a_ticket(f"T{n}", after_min=n / 60) for n in range(first, first + BATCH))
        await handle(db, clock_service, *tickets)


def declared(*spans: tuple[str, float, float]) -> Envelope[Event]:
    """Publish the built-in policy with exceptions, each with its times in minutes after noon."""
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
    """Read rows."""
    async with db.session() as session:
        return await session.fetch(query)


async def classes(db: Database) -> Counter[tuple[str, str | None]]:
    """Count clocks by class and exception."""
    return Counter((row["promise_class"], row["exception"]) for row in await rows(db, CLASSES))


async def repriced(db: Database) -> list[dict[str, Any]]:
    """Read the announcements of changed classes."""
    return [json.loads(row["fact"]) for row in await rows(db, REPRICED)]


async def finish(db: Database, clock_service: ClockService) -> None:
    """Finish the reevaluation."""
    while await reevaluate(db, clock_service):
        pass


async def test_a_change_is_saved_at_once_and_done_in_chunks(
    db: Database, clock_service: ClockService
) -> None:
    """The policy's transaction evaluates no ticket; each chunk at most its limit."""
    await many(db, clock_service)
    await handle(db, clock_service, declared(("storm", 0, 60)))
    assert await classes(db) == {("guarantee", None): MANY}
    for number in range(1, MANY // CHUNK_MAX + 1):
        assert await reevaluate(db, clock_service)
        assert (await classes(db))["objective", "storm"] == number * CHUNK_MAX
    await finish(db, clock_service)
    assert await classes(db) == {("objective", "storm"): MANY}
    assert len({fact["ticket_id"] for fact in await repriced(db)}) == MANY
    assert [tuple(row) for row in await rows(db, DONE)] == [(MANY, True)]


async def test_a_correction_applies_at_once(db: Database, clock_service: ClockService) -> None:
    """A corrected policy applies at once, and determines the final result for all tickets."""
    await many(db, clock_service)
    await handle(db, clock_service, declared(("storm", 0, 60)))
    await reevaluate(db, clock_service)
    await handle(db, clock_service, declared(("storm", 10, 60)))
    late = a_ticket("late", after_min=5)
    await handle(db, clock_service, late)
    await finish(db, clock_service)
    covered = MANY - 10 * 60
    assert await classes(db) == {
        ("guarantee", None): 10 * 60 + 1,
        ("objective", "storm"): covered,
    }


async def test_work_goes_on_after_a_restart(db: Database, clock_service: ClockService) -> None:
    """Another process continues; no ticket is announced twice."""
    await many(db, clock_service)
    await handle(db, clock_service, declared(("storm", 0, 60)))
    await reevaluate(db, clock_service)
    partitions = Partitions(db, four)
    await partitions.start()
    await finish(db, ClockService(partitions))
    announced = Counter(fact["ticket_id"] for fact in await repriced(db))
    assert set(announced.values()) == {1}
    assert len(announced) == MANY


async def test_work_waits_for_the_relay(db: Database, clock_service: ClockService) -> None:
    """The outbox stays short, so that due events need not queue."""
    await many(db, clock_service)
    await handle(db, clock_service, declared(("storm", 0, 60)))
    reevaluator = Reevaluator(db, clock_service)
    await reevaluator.start()
    unsent: list[int] = []
    while not (await rows(db, DONE))[0]["finished"]:
        unsent.append((await rows(db, RELAY))[0]["unsent"])
    await reevaluator.stop()
    assert await classes(db) == {("objective", "storm"): MANY}
    assert max(unsent) == unsent[0]


def a_reply_later() -> list[Envelope[Event]]:
    """Make a ticket whose customer replies long after the first response."""
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
    """Merge a duplicate into the ticket, with an earlier create date."""
    absorbed = TicketAbsorbed(
        ticket_id=ticket_id_of("test", "in"),
        absorbed=ticket_id_of("test", "old"),
        create_date=NOON - minutes(120),
    )
    merge = Envelope(uuid5(NAMESPACE, "merge"), "test", NOON + minutes(1), absorbed)
    return [a_ticket("in"), merge]


@pytest.mark.parametrize("history", [a_reply_later, an_older_duplicate])
async def test_a_ticket_is_found_by_its_create_date(
    db: Database, clock_service: ClockService, history: Callable[[], list[Envelope[Event]]]
) -> None:
    """Even if its clocks started before or after the exception."""
    await handle(db, clock_service, *history())
    await handle(db, clock_service, declared(("storm", -1, 1)))
    await finish(db, clock_service)
    assert {name for _, name in await classes(db)} == {"storm"}


async def test_tickets_without_a_guarantee_are_skipped(
    db: Database, clock_service: ClockService
) -> None:
    """Objectives do not change; nothing is announced, and the reevaluation ends."""
    await handle(db, clock_service, *(a_ticket(f"T{n}", role="seat") for n in range(BATCH)))
    await handle(db, clock_service, declared(("storm", -1, 1)))
    await finish(db, clock_service)
    assert await classes(db) == {("objective", None): BATCH}
    assert await repriced(db) == []
    assert [tuple(row) for row in await rows(db, DONE)] == [(0, True)]
