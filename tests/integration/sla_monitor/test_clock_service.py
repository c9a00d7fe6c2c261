"""Handling facts on a real PostgreSQL: exceptions and merges affect the right clocks."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import uuid5

import pytest

from shared.events import NAMESPACE, Envelope, Event, PolicyPublished, TicketAbsorbed, ticket_id_of
from shared.platform.postgres import Database
from shared.sla.policies import Policy, default_policy
from shared.testing.builders import NOON, a_ticket, minutes
from shared.testing.databases import FreshDatabase, MakeDatabase, waits_for_a_lock
from sla_monitor.partitions import Partitions
from sla_monitor.reevaluator import reevaluate
from sla_monitor.service import ClockService

ANNOUNCED: Final = """
    SELECT headers, convert_from(value, 'UTF8') AS fact FROM outbox ORDER BY id
"""
STAND: Final = """
    CREATE OR REPLACE FUNCTION premium_now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT timestamptz '{}' $$
"""


class Apply(Protocol):
    """Applies a batch, so many minutes after noon."""

    async def __call__(self, *facts: Envelope[Event], after_min: float) -> None:
        """Fold."""


@pytest.fixture
async def fresh(database: MakeDatabase) -> FreshDatabase:
    """Make a database of sla-monitor."""
    return await database("sla_monitor")


@pytest.fixture
async def db(fresh: FreshDatabase) -> AsyncIterator[Database]:
    """Connect as sla-monitor."""
    db = Database(fresh.dsn, service="sla-monitor")
    await db.start()
    yield db
    await db.stop()


async def four() -> int:
    """Return the number of partitions."""
    return 4


@pytest.fixture
async def clock_service(db: Database) -> ClockService:
    """Make the service with its partitions."""
    partitions = Partitions(db, four)
    await partitions.start()
    return ClockService(partitions)


@pytest.fixture
async def apply(
    fresh: FreshDatabase, db: Database, clock_service: ClockService
) -> AsyncIterator[Apply]:
    """Apply a batch so many minutes after noon, and finish the reevaluations."""
    owner = Database(fresh.owner_dsn, service="test", connections_max=1)
    await owner.start()

    async def folded(*facts: Envelope[Event], after_min: float) -> None:
        at = NOON + minutes(after_min)
        async with owner.session() as session:
            await session.execute(STAND.format(at.isoformat()))
        async with db.transaction() as tx:
            await clock_service.handle(tx, facts, at)
        while await reevaluate(db, clock_service):
            pass

    yield folded
    await owner.stop()


async def announced(db: Database) -> Sequence[tuple[str, dict[str, Any]]]:
    """Read the types and data of the announced events."""
    async with db.session() as session:
        rows = await session.fetch(ANNOUNCED)
    return [(_short(row["headers"]), json.loads(row["fact"])) for row in rows]


def _short(headers: str) -> str:
    name: str = dict(json.loads(headers))["ce_type"]
    return name.removeprefix("premium.").removesuffix(".v1")


def declared(*exceptions: tuple[str, datetime, datetime], after_min: float) -> Envelope[Event]:
    """Publish the built-in policy with these exceptions."""
    windows = [
        {"name": name, "reason": "A storm.", "starts_at": since, "ends_at": until}
        for name, since, until in exceptions
    ]
    policy = Policy.model_validate({**default_policy().document, "exceptions": windows})
    event = PolicyPublished(policy_id=policy.policy_id, version=policy.version, document=policy)
    at = NOON + minutes(after_min)
    return Envelope(uuid5(NAMESPACE, f"{policy.version}{at}"), "test", at, event)


STORM: Final = ("storm", NOON - minutes(30), NOON + minutes(30))


async def test_an_exception_declared_later_reaches_open_tickets(db: Database, apply: Apply) -> None:
    """A guarantee becomes an objective; the event names the exception."""
    await apply(a_ticket("in"), a_ticket("out", after_min=45), after_min=46)
    await apply(declared(STORM, after_min=47), after_min=47)
    repriced = [fact for kind, fact in await announced(db) if kind == "clock.repriced"]
    assert [(f["ticket_id"], f["promise_class"], f["exception"]) for f in repriced] == [
        (str(ticket_id_of("test", "in")), "objective", "storm")
    ]


async def test_a_breach_inside_an_exception_becomes_a_miss(db: Database, apply: Apply) -> None:
    """The breach is retracted, and a miss is announced."""
    await apply(a_ticket("in"), after_min=61)
    await apply(declared(STORM, after_min=70), after_min=70)
    kinds = [kind for kind, _ in await announced(db)]
    assert kinds == [
        *("clock.started", "promise.breached"),
        *("clock.repriced", "promise.retracted", "promise.missed"),
    ]
    assert (await announced(db))[3][1]["reason"] == "exception"


async def test_a_policy_that_is_read_again_changes_nothing(db: Database, apply: Apply) -> None:
    """An older version does not replace a newer one."""
    await apply(declared(STORM, after_min=0), after_min=0)
    await apply(declared(after_min=2), a_ticket("one"), after_min=2)
    before = await announced(db)
    await apply(declared(STORM, after_min=0), after_min=5)
    assert await announced(db) == before


async def test_a_withdrawn_exception_restores_the_guarantee(db: Database, apply: Apply) -> None:
    """A policy without the exception replaces it; each ticket gets its own cause id."""
    await apply(declared(STORM, after_min=0), after_min=0)
    await apply(a_ticket("one"), a_ticket("two"), after_min=1)
    await apply(declared(after_min=2), after_min=2)
    started = [
        fact["promise_class"] for kind, fact in await announced(db) if kind == "clock.started"
    ]
    repriced = [
        fact["promise_class"] for kind, fact in await announced(db) if kind == "clock.repriced"
    ]
    assert started == ["objective", "objective"]
    assert repriced == ["guarantee", "guarantee"]


async def test_a_merge_does_not_extend_a_due_time(db: Database, apply: Apply) -> None:
    """The remaining ticket is due from the duplicate's earlier create date."""
    await apply(a_ticket("stays", after_min=20), after_min=20)
    event = TicketAbsorbed(
        ticket_id=ticket_id_of("test", "stays"),
        absorbed=ticket_id_of("test", "gone"),
        create_date=NOON,
    )
    await apply(
        Envelope(uuid5(NAMESPACE, "merge"), "test", NOON + minutes(25), event), after_min=25
    )
    due = [fact["due_at"] for kind, fact in await announced(db) if kind == "clock.resumed"]
    assert due == ["2026-03-02T13:00:00Z"]


async def test_a_declaration_finds_a_ticket_of_a_running_transaction(
    db: Database, clock_service: ClockService, apply: Apply
) -> None:
    """The declaration waits for the running transaction, and so finds its new ticket."""
    async with asyncio.TaskGroup() as group, db.transaction() as tx:
        await clock_service.handle(tx, [a_ticket("in")], NOON + minutes(1))
        declaring = group.create_task(apply(declared(STORM, after_min=2), after_min=2))
        assert await waits_for_a_lock(db)
        assert not declaring.done()
    assert [kind for kind, _ in await announced(db)] == ["clock.started", "clock.repriced"]
