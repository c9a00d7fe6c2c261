"""The sweep on a real PostgreSQL: each breach once, on time, and with right watermarks."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import pytest

from shared.basics.clock import wait_at_most
from shared.basics.errors import Transient
from shared.events import ClockWarned, Envelope, Event, PromiseBreached, TicketResponded
from shared.platform import processed_events
from shared.platform.postgres import Database
from shared.testing.builders import NOON, a_fact, a_ticket, minutes
from shared.testing.databases import FreshDatabase, MakeDatabase
from sla_monitor.partitions import Partitions
from sla_monitor.service import ClockService
from sla_monitor.store import clocks as clock_store
from sla_monitor.store.clocks import Share
from sla_monitor.sweep import Sweeper, SweepState, sweep

PARTITIONS: Final = 4
TICKETS: Final = 300
BACKLOG: Final = 4800
LOOKS: Final = 25
ANNOUNCED: Final = """
    SELECT id, topic, partition, convert_from(value, 'UTF8') AS fact FROM outbox ORDER BY id
"""
RELAY: Final = """
    WITH oldest AS (DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT 1000)
                    RETURNING id, topic, partition, value)
    SELECT id, topic, partition, convert_from(value, 'UTF8') AS fact FROM oldest ORDER BY id
"""
HEADERS: Final = "SELECT headers FROM outbox ORDER BY id"
CONTEXT: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 vendor=1"
OTHER: Final = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
STAND: Final = """
    CREATE OR REPLACE FUNCTION premium_now() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT timestamptz '{}' $$
"""
OWN: Final = "SELECT pg_advisory_xact_lock(hashtext('sweep'), $1)"
HOLD: Final = "SELECT FROM clock WHERE partition = $1 FOR UPDATE"
DUE: Final = "SELECT FROM clock WHERE next_at <= premium_now() LIMIT 1"
WAIT_S_MAX: Final = 60
LOOK_S: Final = 0.02
FORGET: Final = "UPDATE watermark SET published_at = NULL"
OPEN: Final = "SELECT partition, open FROM open_clocks WHERE open <> 0 ORDER BY partition"
COUNTED: Final = """
    SELECT partition, count(*) AS open FROM clock WHERE state IN ('running', 'paused')
    GROUP BY partition ORDER BY partition
"""


class Monitor:
    """Several sla-monitors on one database, with a settable time."""

    def __init__(self, fresh: FreshDatabase) -> None:
        self.db = Database(fresh.dsn, service="sla-monitor")
        self.other = Database(fresh.dsn, service="sla-monitor")
        self._owner = Database(fresh.owner_dsn, service="test", connections_max=1)
        self.partitions = Partitions(self.db, self._count)

    async def start(self) -> None:
        """Connect."""
        for part in (self.db, self.other, self._owner, self.partitions):
            await part.start()

    async def stop(self) -> None:
        """Disconnect."""
        for db in (self.db, self.other, self._owner):
            await db.stop()

    async def set_time(self, moment: datetime) -> None:
        """Set the time."""
        await self.run(STAND.format(moment.isoformat()))

    async def run(self, statement: str) -> None:
        """Run a statement as the owner."""
        async with self._owner.session() as session:
            await session.execute(statement)

    async def receive(self, *facts: Envelope[Event]) -> None:
        """Handle a batch as the consumer does."""
        async with self.db.transaction() as tx:
            fresh, now = await processed_events.claim(tx, (fact.id for fact in facts))
            await ClockService(self.partitions).handle(tx, [f for f in facts if f.id in fresh], now)

    async def rows(self, query: str) -> list[Any]:
        """Read rows."""
        async with self.db.session() as session:
            return await session.fetch(query)

    async def announced(self, kind: str) -> list[dict[str, Any]]:
        """Read the announced events of one kind, in order, each with its outbox id."""
        return _of(kind, await self.rows(ANNOUNCED))

    async def relayed(self, kind: str) -> list[dict[str, Any]]:
        """Remove the oldest outbox rows, as the relay does, and return those of one kind."""
        return _of(kind, await self.rows(RELAY))

    async def _count(self) -> int:
        return PARTITIONS


def _of(kind: str, rows: Sequence[Any]) -> list[dict[str, Any]]:
    facts = [{**row, **json.loads(row["fact"])} for row in rows]
    return [fact for fact in facts if _is(kind, fact)]


def _is(kind: str, fact: dict[str, Any]) -> bool:
    match kind:
        case "broken":
            return fact["topic"] == "breaches.v1" and "due_at" in fact
        case "warned":
            return "percent" in fact
        case _:
            return "evaluated_to" in fact


@pytest.fixture
async def monitor(database: MakeDatabase) -> AsyncIterator[Monitor]:
    """Run on a new database, at noon."""
    made = Monitor(await database("sla_monitor"))
    await made.start()
    await made.set_time(NOON)
    yield made
    await made.stop()


def many(count: int) -> Sequence[Envelope[Event]]:
    """Accept tickets at noon, due at one."""
    return [a_ticket(f"T{number}") for number in range(count)]


async def backlog(monitor: Monitor) -> None:
    """Make more clocks due than some sweeps can handle, with an empty outbox before."""
    for number in range(BACKLOG // TICKETS):
        await monitor.receive(*(a_ticket(f"T{number}-{n}") for n in range(TICKETS)))
    await monitor.run("TRUNCATE outbox")
    await monitor.set_time(NOON + minutes(61))


@asynccontextmanager
async def sweeping(db: Database) -> AsyncIterator[None]:
    """Sweep while the block runs."""
    sweeper = Sweeper(db)
    await sweeper.start()
    yield
    await sweeper.stop()


async def test_two_sweepers_announce_each_breach_once(monitor: Monitor) -> None:
    """Each skips the partitions that the other has locked; together they announce all."""
    await monitor.receive(*many(TICKETS))
    await monitor.set_time(NOON + minutes(61))
    both = (monitor.db, monitor.other)
    await asyncio.gather(*(sweep(db, SweepState(), limit=50) for db in both * 10))
    await sweep(monitor.db, SweepState())
    breached = Counter(fact["ticket_id"] for fact in await monitor.announced("broken"))
    assert len(breached) == TICKETS
    assert set(breached.values()) == {1}


async def test_warnings_and_breaches_continue_the_trace(monitor: Monitor) -> None:
    """Warning and breach have the trace context of the fact that started the clock."""
    others = replace(a_fact(TicketResponded, "T", after_min=-30), traceparent=OTHER)
    await monitor.receive(replace(a_ticket("T"), traceparent=CONTEXT), others)
    for minute in (49, 61):
        await monitor.set_time(NOON + minutes(minute))
        await sweep(monitor.db, SweepState())
    headers = [dict(json.loads(row["headers"])) for row in await monitor.rows(HEADERS)]
    traced = {
        h["ce_type"]: (h["traceparent"], h["tracestate"])
        for h in headers
        if h["ce_type"] in {ClockWarned.type, PromiseBreached.type}
    }
    assert traced == dict.fromkeys((ClockWarned.type, PromiseBreached.type), tuple(CONTEXT.split()))


async def test_two_instances_work_off_a_backlog_together(monitor: Monitor) -> None:
    """While both sweep, each breach is announced once, and none is left."""
    await backlog(monitor)
    breached: Counter[str] = Counter()
    async with sweeping(monitor.db), sweeping(monitor.other), asyncio.timeout(WAIT_S_MAX):
        while await monitor.rows(DUE):
            breached.update(fact["ticket_id"] for fact in await monitor.relayed("broken"))
            await wait_at_most(asyncio.Event().wait(), LOOK_S)
    breached.update(fact["ticket_id"] for fact in await monitor.announced("broken"))
    assert len(breached) == BACKLOG
    assert set(breached.values()) == {1}


async def test_a_backlog_does_not_outrun_the_relay(monitor: Monitor) -> None:
    """The outbox stays short, so that newly due events need not queue."""
    await backlog(monitor)
    before, looks = -1, 0
    async with sweeping(monitor.db), asyncio.timeout(WAIT_S_MAX):
        while looks < LOOKS:
            await wait_at_most(asyncio.Event().wait(), LOOK_S)
            now = len(await monitor.announced("broken"))
            looks = looks + 1 if now == before > 0 else 0
            before = now
    assert 1000 < before < BACKLOG
    assert await monitor.rows(DUE)


async def test_a_sweep_skips_a_locked_partition(monitor: Monitor) -> None:
    """It publishes nothing about it, not even a watermark."""
    await monitor.receive(*many(TICKETS))
    await monitor.set_time(NOON + minutes(61))
    async with monitor.other.transaction() as tx:
        await tx.execute(OWN, 2)
        await sweep(monitor.db, SweepState())
    assert {fact["partition"] for fact in await monitor.announced("watermark")} == {0, 1, 3}


async def test_a_sweep_takes_no_partition_of_another_share(monitor: Monitor) -> None:
    """So two workers or instances can sweep two shares at once."""
    async with monitor.other.transaction() as tx:
        held, _ = await clock_store.claim_partitions(tx, Share(0, 2), watermark_every=minutes(1))
        await sweep(monitor.db, SweepState(), Share(1, 2))
    assert [partition.number for partition in held] == [0, 2]
    assert {fact["partition"] for fact in await monitor.announced("watermark")} == {1, 3}


async def test_a_locked_due_clock_holds_the_watermark_back(monitor: Monitor) -> None:
    """A clock that is due but locked holds its partition's watermark back."""
    await monitor.receive(*many(TICKETS))
    await monitor.set_time(NOON + minutes(61))
    async with monitor.other.transaction() as tx:
        await tx.execute(HOLD, 1)
        await sweep(monitor.db, SweepState())
    watermarks = {
        watermark["partition"]: watermark["evaluated_to"]
        for watermark in await monitor.announced("watermark")
    }
    assert datetime.fromisoformat(watermarks[1]) < NOON + minutes(60)
    assert {watermarks[number] for number in (0, 2, 3)} == {"2026-03-02T13:01:00Z"}


async def test_a_breach_after_its_watermark_is_marked_late(monitor: Monitor) -> None:
    """Except those marked late, which name their fact."""
    await monitor.set_time(NOON + minutes(120))
    await sweep(monitor.db, SweepState())
    await monitor.receive(*many(3))
    broken = await monitor.announced("broken")
    assert [(fact["late"], fact["fact_id"]) for fact in broken] == [
        (True, str(ticket.id)) for ticket in many(3)
    ]


async def test_a_breach_found_on_time_is_not_late(monitor: Monitor) -> None:
    """A clock known before its due time is announced without the mark, with its lateness."""
    await monitor.receive(*many(1))
    await monitor.set_time(NOON + minutes(60.5))
    await sweep(monitor.db, SweepState())
    [breach] = await monitor.announced("broken")
    assert "late" not in breach
    assert breach["lateness_ms"] == 30_000


async def test_a_watermark_counts_open_clocks(monitor: Monitor) -> None:
    """The counter is updated by facts: no table is counted."""
    await monitor.receive(*many(TICKETS))
    await monitor.receive(*(a_fact(TicketResponded, f"T{n}", after_min=5) for n in range(100)))
    await sweep(monitor.db, SweepState())
    counted = {row["partition"]: row["open"] for row in await monitor.rows(COUNTED)}
    announced = {
        watermark["partition"]: watermark["open"]
        for watermark in await monitor.announced("watermark")
    }
    assert announced == counted
    assert sum(counted.values()) == TICKETS - 100


async def test_watermarks_are_published_once_a_second(monitor: Monitor) -> None:
    """Sweeps in between publish no watermark."""
    await sweep(monitor.db, SweepState())
    await sweep(monitor.db, SweepState())
    assert len(await monitor.announced("watermark")) == PARTITIONS
    await monitor.run(FORGET)
    await sweep(monitor.db, SweepState())
    assert len(await monitor.announced("watermark")) == 2 * PARTITIONS


async def test_newly_due_clocks_do_not_wait_for_a_backlog(monitor: Monitor) -> None:
    """During a backlog each sweep also handles some newly due clocks."""
    await monitor.receive(*many(TICKETS))
    await monitor.receive(a_ticket("late", after_min=31))
    await monitor.set_time(NOON + minutes(61))
    await sweep(monitor.db, SweepState(), limit=20)
    warned = await monitor.announced("warned")
    assert [fact["percent"] for fact in warned] == [50]


async def test_a_suspended_session_loses_its_partitions(monitor: Monitor) -> None:
    """PostgreSQL ends the session of a suspended sweeper, which cannot commit."""
    await monitor.receive(*many(1))
    await monitor.set_time(NOON + minutes(61))
    with pytest.raises(Transient):
        async with monitor.other.transaction() as tx:
            await tx.execute("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
            for number in range(PARTITIONS):
                await tx.execute(OWN, number)
            async with monitor.db.transaction() as waiting:
                for number in range(PARTITIONS):
                    await waiting.execute(OWN, number)
            await tx.execute("SELECT")
    await sweep(monitor.db, SweepState())
    assert len(await monitor.announced("broken")) == 1
