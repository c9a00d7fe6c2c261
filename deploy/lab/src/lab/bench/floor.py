"""The floor: its stages as processes, with topics and tables made for a run and removed after."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import psutil
from aiokafka.admin import NewTopic

from devstack.topics import admin
from lab.bench import stage
from lab.bench.measures import TARGET
from lab.bench.stage import PLANS, Ground, Stage
from lab.broker import Broker
from premium.errors import CommandError
from shared.events import SupportRequest
from shared.platform.publisher import Outgoing, Publisher

__all__ = ["Floor", "floor"]

_TOPICS: Final = ("inbound", "tickets", "assignments", "clocks", "sent", "breaches")
_PARTITIONS: Final = 12
_STAGES: Final = tuple(name for name in PLANS if name != "door")
_START_S: Final = 30

_NOW: Final = "SELECT now()"
_PLANNED: Final = "SELECT count(*) FROM notifier.first"
_START_CLOCKS: Final = """
    INSERT INTO timer.timer (id, value, due_at)
    SELECT unnest($1::uuid[]), unnest($2::bytea[]), unnest($3::timestamptz[])
"""
_LEFT: Final = " UNION ALL ".join(f'SELECT id FROM "{name}".outbox' for name in PLANS)  # noqa: S608


@dataclass
class Floor:
    """The hand-written pipeline, as it is measured."""

    bootstrap: str
    topics: Sequence[str]
    assigned: str
    broken: str
    processes: Mapping[str, psutil.Process]
    _prefix: str
    _pool: asyncpg.Pool
    _publisher: Publisher
    _broker: Broker
    _door: Stage

    async def now(self) -> datetime:
        """Ask PostgreSQL for the time."""
        moment: datetime = await self._pool.fetchval(_NOW)
        return moment

    async def send(self, wanted: Sequence[SupportRequest]) -> None:
        """Put requests on the inbound topic."""
        topic = f"{self._prefix}inbound"
        await self._publisher.publish(
            Outgoing(topic, _key(r), _value(r), [("id", r.document_id.bytes)]) for r in wanted
        )

    async def enter(self, request: SupportRequest) -> None:
        """Put one request into the first tables; there is no HTTP in the floor."""
        fresh = [(request.document_id, _key(request), _value(request))]
        await self._door.take(fresh, fresh)

    async def start_clocks(self, wanted: Sequence[SupportRequest]) -> None:
        """Put clocks into the table."""
        ids = [r.ticket_id for r in wanted]
        due_at = [r.occurred_at + TARGET for r in wanted]
        await self._pool.execute(_START_CLOCKS, ids, [_value(r) for r in wanted], due_at)

    async def planned(self) -> int:
        """Count the deliveries that were ever planned."""
        count: int = await self._pool.fetchval(_PLANNED)
        return count

    async def unrest(self) -> str | None:
        """Name work that is left, or None. Raises Transient while the broker is away."""
        ends = await self._broker.ends(self.topics)
        for name, plan in PLANS.items():
            committed = await self._broker.committed(self._prefix + name) if plan.reads else {}
            reads = {self._prefix + topic for topic in plan.reads}
            if any(end > committed.get(tp, 0) for tp, end in ends.items() if tp.topic in reads):
                return f"{name} has records to read"
        if await self._pool.fetchval(_LEFT) is not None:
            return "events to publish"
        return None if await self._broker.ends(self.topics) == ends else "topics grow"


@asynccontextmanager
async def floor(
    bootstrap: str, admin_dsn: str, logs: Path, servers: Mapping[str, psutil.Process]
) -> AsyncIterator[Floor]:
    """Bring the floor up, and leave nothing of it."""
    run = f"bench-{uuid4().hex[:8]}"
    ground = Ground(bootstrap, urlsplit(admin_dsn)._replace(path=f"/{run}").geturl(), f"{run}.")
    topics = [ground.prefix + topic for topic in _TOPICS]
    async with AsyncExitStack() as undo:
        await _make_topics(undo, bootstrap, topics)
        await _make_tables(undo, admin_dsn, run, ground.dsn)
        stages = {name: await _started(undo, name, ground, logs) for name in _STAGES}
        pool = asyncpg.create_pool(ground.dsn, min_size=1, max_size=4)
        publisher, broker = Publisher(bootstrap, service="bench"), Broker(bootstrap)
        undo.push_async_callback(publisher.stop)
        undo.push_async_callback(broker.close)
        yield Floor(
            bootstrap=bootstrap,
            topics=topics,
            assigned=f"{ground.prefix}assignments",
            broken=f"{ground.prefix}breaches",
            processes={**servers, **stages},
            _prefix=ground.prefix,
            _pool=await undo.enter_async_context(pool),
            _publisher=publisher,
            _broker=broker,
            _door=await undo.enter_async_context(_door(ground)),
        )


async def _make_topics(undo: AsyncExitStack, bootstrap: str, topics: Sequence[str]) -> None:
    client = await undo.enter_async_context(admin(bootstrap))
    await client.create_topics([NewTopic(topic, _PARTITIONS, 1) for topic in topics])
    undo.push_async_callback(client.delete_topics, list(topics))


async def _make_tables(undo: AsyncExitStack, admin_dsn: str, run: str, dsn: str) -> None:
    maker = await asyncpg.connect(admin_dsn)
    undo.push_async_callback(maker.close)
    await maker.execute(f'CREATE DATABASE "{run}"')
    undo.push_async_callback(maker.execute, f'DROP DATABASE "{run}" WITH (FORCE)')
    owner = await asyncpg.connect(dsn)
    for name in PLANS:
        await owner.execute(f'CREATE SCHEMA "{name}"; SET search_path = "{name}"; {stage.MAKE}')
    await owner.close()


async def _started(undo: AsyncExitStack, name: str, ground: Ground, logs: Path) -> psutil.Process:
    """Start a stage and wait for its word. Raises CommandError when it does not come."""
    log = logs / f"floor-{name}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", stage.__name__, name),
            env={**os.environ, "FLOOR": json.dumps(asdict(ground))},
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    undo.push_async_callback(_end, process)
    assert process.stdout is not None  # noqa: S101 - asked for above
    with suppress(TimeoutError):
        async with asyncio.timeout(_START_S):
            if (await process.stdout.readline()).decode().strip() == stage.READY:
                return psutil.Process(process.pid)
    raise CommandError(f"the floor's {name} did not start (see {log})")


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


@asynccontextmanager
async def _door(ground: Ground) -> AsyncIterator[Stage]:
    async with stage.opened("door", ground) as door:
        relaying = asyncio.create_task(door.relay())
        try:
            yield door
        finally:
            relaying.cancel()


def _key(request: SupportRequest) -> bytes:
    return str(request.ticket_id).encode()


def _value(request: SupportRequest) -> bytes:
    return request.model_dump_json().encode()
