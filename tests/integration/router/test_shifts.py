"""Shifts on a real PostgreSQL: they are stored, and no change of a shift is missed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from router.domain.matching import default_rules
from router.service.routing import RoutingService
from router.store import tickets as ticket_store
from router.store.roster import load_roster, load_shifts
from router.sweep import Sweeper
from shared.basics.clock import wait_at_most
from shared.events import Envelope, Event
from shared.platform.postgres import Database, now
from shared.rosters import Shifts
from shared.testing.builders import NOON, a_specialist, a_ticket, minutes, removed
from shared.testing.databases import FreshDatabase

AFTERNOON: Final = {"zone": "UTC", "hours": {"mon-fri": ["12:30-18:00"]}}
HELD: Final = "SELECT specialist_id FROM ticket ORDER BY ticket_id"
ALL_SHIFTS: Final = "SELECT shifts FROM specialist"
STAND: Final = """
    CREATE OR REPLACE FUNCTION premium_now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT timestamptz '{}' $$
"""
LOOK_S: Final = 0.01
WAIT_S_MAX: Final = 30


@pytest.fixture
async def db(fresh: FreshDatabase) -> AsyncIterator[Database]:
    """Connect as router."""
    made = Database(fresh.dsn, service="router")
    await made.start()
    yield made
    await made.stop()


async def apply(db: Database, *envelopes: Envelope[Event], at: datetime = NOON) -> None:
    """Apply a batch."""
    async with db.transaction() as tx:
        await RoutingService(default_rules()).apply_events(tx, envelopes, at)


async def apply_shifts(db: Database, at: datetime) -> None:
    """Apply the shifts that have changed by then."""
    async with db.transaction() as tx:
        await RoutingService(default_rules()).wake(tx, at)


async def read(db: Database, statement: str) -> list[Any]:
    """Return the only column of a query."""
    async with db.session() as session:
        return [row[0] for row in await session.fetch(statement)]


async def set_time(fresh: FreshDatabase, moment: datetime) -> None:
    """Set the business time."""
    owner = Database(fresh.owner_dsn, service="test", connections_max=1)
    await owner.start()
    async with owner.session() as session:
        await session.execute(STAND.format(moment.isoformat()))
    await owner.stop()


async def test_a_roster_entry_is_stored(db: Database) -> None:
    """All of it; shifts are loaded only when they change."""
    entry: dict[str, Any] = {
        "levels": {"de": "B2"},
        "skills": ["crm", "billing"],
        "team": "emea",
        "certified": True,
        "universal": {"capacity": 5, "weights": {"phone": 3}},
        "shifts": {**AFTERNOON, "leave": [{"first": "2026-08-03", "last": "2026-08-21"}]},
    }
    await apply(db, a_specialist("ann", languages=("en", "de"), **entry))
    async with db.transaction() as tx:
        (ann,) = await load_roster(tx)
        shifts = await load_shifts(tx, ["ann"])
        (shown,) = await ticket_store.roster_load(tx)
    assert (ann.levels, ann.skills, ann.team) == ({"en": 5, "de": 4}, ("crm", "billing"), "emea")
    assert (ann.certified, ann.universal, ann.weights) == (True, 5, {"phone": 3})
    assert (ann.on_shift, ann.turns_at, ann.shifts) == (False, NOON + minutes(30), None)
    assert shifts == {"ann": Shifts.model_validate(entry["shifts"])}
    assert (shown["levels"], shown["on_shift"]) == ({"en": 5, "de": 4}, False)


async def test_a_specialist_removed_or_listed_without_shifts_has_none(db: Database) -> None:
    """Then no timer is set."""
    await apply(db, a_specialist("ann", shifts=AFTERNOON), a_specialist("bo", shifts=AFTERNOON))
    await apply(db, removed("ann", after_min=1), a_specialist("bo", after_min=1))
    assert await read(db, ALL_SHIFTS) == [None, None]
    async with db.session() as session:
        assert await ticket_store.seconds_to_wake(session) is None


async def test_a_beginning_shift_gets_tickets_of_a_long_queue(db: Database) -> None:
    """Up to the capacity, the earliest due first; the end of the shift is then set."""
    await apply(db, a_specialist("ann", shifts=AFTERNOON, capacity={"email": 40}))
    await apply(db, *(a_ticket(f"T{n}", after_min=n / 100) for n in range(100)))
    await apply_shifts(db, NOON + minutes(30) - timedelta(microseconds=1))
    assert await read(db, HELD) == [None] * 100
    await apply_shifts(db, NOON + minutes(30))
    assert sorted(filter(None, await read(db, HELD))) == ["ann"] * 40
    await apply_shifts(db, NOON + timedelta(hours=6))
    async with db.transaction() as tx:
        (ann,) = await load_roster(tx)
    assert not ann.on_shift
    assert ann.turns_at == NOON + timedelta(days=1, minutes=30)


async def test_an_event_after_the_beginning_of_a_shift_applies_it(db: Database) -> None:
    """Even if the sweep has not run yet."""
    await apply(db, a_specialist("ann", shifts=AFTERNOON))
    await apply(db, a_ticket("T1"), at=NOON + minutes(31))
    assert await read(db, HELD) == ["ann"]


async def test_the_sweep_applies_the_beginning_of_a_shift(
    db: Database, fresh: FreshDatabase
) -> None:
    """No event is needed."""
    await set_time(fresh, NOON)
    await apply(db, a_specialist("ann", shifts=AFTERNOON), a_ticket("T1", role="seat"))
    async with db.session() as session:
        assert await now(session) == NOON
        assert await ticket_store.seconds_to_wake(session) == minutes(30).total_seconds()
    sweeper = Sweeper(db, RoutingService(default_rules()))
    await sweeper.start()
    await set_time(fresh, NOON + minutes(30))
    async with asyncio.timeout(WAIT_S_MAX):
        while await read(db, HELD) != ["ann"]:
            await wait_at_most(asyncio.Event().wait(), LOOK_S)
    await sweeper.stop()


async def test_the_sweep_applies_a_due_relaxation(db: Database, fresh: FreshDatabase) -> None:
    """No event is needed, and only tickets with a due step are loaded."""
    await set_time(fresh, NOON)
    weak = a_specialist("ann", languages=("de",), levels={"de": 2})
    await apply(db, weak, a_specialist("bo", languages=("de",), presence="away"))
    await apply(db, a_ticket("T1", language="de"), a_ticket("T2", language="de", after_min=9))
    async with db.session() as session:
        assert await ticket_store.seconds_to_wake(session) == minutes(18).total_seconds()
    sweeper = Sweeper(db, RoutingService(default_rules()))
    await sweeper.start()
    await set_time(fresh, NOON + minutes(18))
    async with asyncio.timeout(WAIT_S_MAX):
        while await read(db, HELD) != [None, "ann"]:
            await wait_at_most(asyncio.Event().wait(), LOOK_S)
    await sweeper.stop()
    async with db.session() as session:
        assert await ticket_store.due(session, NOON + minutes(26), limit=9) == []
        assert len(await ticket_store.due(session, NOON + minutes(27), limit=9)) == 1
