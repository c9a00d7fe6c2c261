"""The hand-written baseline pipeline: its processes, with topics and tables for one run."""

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
from lab.bench import baseline_process
from lab.bench.baseline_process import PLANS, BaselineProcess, Testbed
from lab.bench.measures import TARGET
from lab.broker import Broker
from premium.errors import CommandError
from shared.events import SupportRequest
from shared.platform.publisher import Outgoing, Publisher

__all__ = ["Baseline", "baseline"]

_TOPICS: Final = ("inbound", "tickets", "assignments", "clocks", "sent", "breaches")
_PARTITIONS: Final = 12
_STAGES: Final = tuple(name for name in PLANS if name != "entry")
_START_S: Final = 30

_NOW: Final = "SELECT now()"
_PLANNED: Final = "SELECT count(*) FROM notifier.first"
_START_CLOCKS: Final = """
    INSERT INTO timer.timer (id, value, due_at)
    SELECT unnest($1::uuid[]), unnest($2::bytea[]), unnest($3::timestamptz[])
"""
_LEFT: Final = " UNION ALL ".join(f'SELECT id FROM "{name}".outbox' for name in PLANS)  # noqa: S608


@dataclass
class Baseline:
    """The baseline, as it is measured."""

    bootstrap: str
    topics: Sequence[str]
    assigned: str
    broken: str
    processes: Mapping[str, psutil.Process]
    _prefix: str
    _pool: asyncpg.Pool
    _publisher: Publisher
    _broker: Broker
    _entry: BaselineProcess

    async def now(self) -> datetime:
        """Return PostgreSQL's time."""
        moment: datetime = await self._pool.fetchval(_NOW)
        return moment

    async def send(self, wanted: Sequence[SupportRequest]) -> None:
        """Publish requests on the inbound topic."""
        topic = f"{self._prefix}inbound"
        await self._publisher.publish(
            Outgoing(topic, _key(r), _value(r), [("id", r.document_id.bytes)]) for r in wanted
        )

    async def submit(self, request: SupportRequest) -> None:
        """Insert one request into the first tables; the baseline has no HTTP."""
        fresh = [(request.document_id, _key(request), _value(request))]
        await self._entry.process(fresh, fresh)

    async def start_clocks(self, wanted: Sequence[SupportRequest]) -> None:
        """Insert clocks into the table of the timer."""
        ids = [r.ticket_id for r in wanted]
        due_at = [r.occurred_at + TARGET for r in wanted]
        await self._pool.execute(_START_CLOCKS, ids, [_value(r) for r in wanted], due_at)

    async def planned(self) -> int:
        """Count all planned deliveries."""
        count: int = await self._pool.fetchval(_PLANNED)
        return count

    async def unrest(self) -> str | None:
        """Describe unfinished work; None if there is none. Raises Transient without Kafka."""
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
async def baseline(
    bootstrap: str, admin_dsn: str, logs: Path, servers: Mapping[str, psutil.Process]
) -> AsyncIterator[Baseline]:
    """Start the baseline; remove its processes, topics and tables at the end."""
    run = f"bench-{uuid4().hex[:8]}"
    testbed = Testbed(bootstrap, urlsplit(admin_dsn)._replace(path=f"/{run}").geturl(), f"{run}.")
    topics = [testbed.prefix + topic for topic in _TOPICS]
    async with AsyncExitStack() as undo:
        await _make_topics(undo, bootstrap, topics)
        await _make_tables(undo, admin_dsn, run, testbed.dsn)
        stages = {name: await _started(undo, name, testbed, logs) for name in _STAGES}
        pool = asyncpg.create_pool(testbed.dsn, min_size=1, max_size=4)
        publisher, broker = Publisher(bootstrap, service="bench"), Broker(bootstrap)
        undo.push_async_callback(publisher.stop)
        undo.push_async_callback(broker.close)
        yield Baseline(
            bootstrap=bootstrap,
            topics=topics,
            assigned=f"{testbed.prefix}assignments",
            broken=f"{testbed.prefix}breaches",
            processes={**servers, **stages},
            _prefix=testbed.prefix,
            _pool=await undo.enter_async_context(pool),
            _publisher=publisher,
            _broker=broker,
            _entry=await undo.enter_async_context(_entry(testbed)),
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
        await owner.execute(
            f'CREATE SCHEMA "{name}"; SET search_path = "{name}"; {baseline_process.MAKE}'
        )
    await owner.close()


async def _started(undo: AsyncExitStack, name: str, testbed: Testbed, logs: Path) -> psutil.Process:
    """Start a process, wait until it is ready. Raises CommandError if it is not ready in time."""
    log = logs / f"baseline-{name}.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", baseline_process.__name__, name),
            env={**os.environ, "BASELINE": json.dumps(asdict(testbed))},
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    undo.push_async_callback(_end, process)
    assert process.stdout is not None  # noqa: S101 - asked for above
    with suppress(TimeoutError):
        async with asyncio.timeout(_START_S):
            if (await process.stdout.readline()).decode().strip() == baseline_process.READY:
                return psutil.Process(process.pid)
    raise CommandError(f"the baseline's {name} did not start (see {log})")


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


@asynccontextmanager
async def _entry(testbed: Testbed) -> AsyncIterator[BaselineProcess]:
    async with baseline_process.opened("entry", testbed) as entry:
        relaying = asyncio.create_task(entry.relay())
        try:
            yield entry
        finally:
            relaying.cancel()


def _key(request: SupportRequest) -> bytes:
    return str(request.ticket_id).encode()


def _value(request: SupportRequest) -> bytes:
    return request.model_dump_json().encode()
