"""The compared subjects: peers as processes with their own databases, and ours in its stack."""

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
from aiokafka.admin import NewTopic

from devstack.addresses import Addresses
from devstack.processes import last_line
from devstack.stack import Stack
from devstack.topics import admin
from lab.bench.due import seeding
from lab.bench.due.batch import Batch
from lab.bench.due.peers.process import CONFIG, DONE, WORK, Testbed
from premium.errors import CommandError

__all__ = ["MONITOR", "Ours", "Peer", "ours", "peers"]

MONITOR: Final = "sla-monitor"
_PARTITIONS: Final = 12
_ANSWER_S: Final = 300
_PEERS: Final = "lab.bench.due.peers"

_NOW: Final = "SELECT now()"
_BUSINESS_NOW: Final = "SELECT premium_now()"
_SETTLE: Final = "VACUUM (ANALYZE)"


@dataclass(frozen=True, slots=True)
class _Kind:
    """A peer, and the SQL that deletes its unfinished work."""

    name: str
    module: str
    clear: str
    needs: str | None = None


_KINDS: Final = (
    _Kind("bare SQL loop", "loop", "UPDATE timer SET due_at = NULL WHERE due_at <= now()"),
    _Kind(
        "APScheduler 3",
        "apscheduler3",
        "DELETE FROM apscheduler_jobs WHERE next_run_time <= extract(epoch FROM now())",
        "apscheduler",
    ),
    _Kind(
        "procrastinate",
        "procrastinate3",
        "DELETE FROM procrastinate_jobs WHERE scheduled_at <= now()",
        "procrastinate",
    ),
)


class Peer:
    """A peer, which runs only during its own measurements."""

    def __init__(
        self, kind: _Kind, testbed: Testbed, log: Path, queries: asyncpg.Connection
    ) -> None:
        self.name = kind.name
        self.bootstrap = testbed.bootstrap
        self.topic = testbed.topic
        self._kind = kind
        self._testbed = testbed
        self._log = log
        self._queries = queries
        self._process: asyncio.subprocess.Process | None = None

    async def now(self) -> datetime:
        """Return PostgreSQL's time."""
        moment: datetime = await self._queries.fetchval(_NOW)
        return moment

    async def prepare(self, batch: Batch) -> None:
        """Insert clocks that stay open, while nothing runs."""
        async with self._started():
            await self.insert(batch)
        await self._queries.execute(_SETTLE, timeout=None)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Run the peer during the block, then delete its unfinished work."""
        async with self._started():
            await self._send(WORK)
            yield
        await self._queries.execute(self._kind.clear)

    async def insert(self, batch: Batch) -> None:
        """Insert clocks, while it runs."""
        await self._send(batch.to_line())

    @asynccontextmanager
    async def _started(self) -> AsyncIterator[None]:
        with self._log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"{_PEERS}.{self._kind.module}"),
                env={**os.environ, CONFIG: json.dumps(asdict(self._testbed))},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        try:
            await self._answer()
            yield
        finally:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            self._process = None

    async def _send(self, line: str) -> None:
        assert self._process is not None  # noqa: S101 - it runs
        assert self._process.stdin is not None  # noqa: S101 - piped
        self._process.stdin.write(f"{line}\n".encode())
        await self._answer()

    async def _answer(self) -> None:
        """Wait for the process's answer. Raises CommandError if none comes in time."""
        assert self._process is not None  # noqa: S101 - as above
        assert self._process.stdout is not None  # noqa: S101 - as above
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_S):
                if (await self._process.stdout.readline()).decode().strip() == DONE:
                    return
        raise CommandError(f"{self.name} does not answer: {last_line(self._log)}")


class Ours:
    """sla-monitor in its stack."""

    name = "ours"
    topic = seeding.TOPIC

    def __init__(self, stack: Stack, connection: asyncpg.Connection, instances: int) -> None:
        self._instances = instances
        self.bootstrap = stack.addresses.kafka_bootstrap
        self.connection = connection
        self.stack = stack

    async def now(self) -> datetime:
        """Return the time by which promises are judged."""
        moment: datetime = await self.connection.fetchval(_BUSINESS_NOW)
        return moment

    async def prepare(self, batch: Batch) -> None:
        """Insert clocks that stay open."""
        await seeding.seed(self.connection, batch)
        await seeding.settle(self.connection)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Run the monitor during the block, in as many instances as configured."""
        await self.stack.start(MONITOR)
        others = [await self._another(number) for number in range(1, self._instances)]
        try:
            yield
        finally:
            for other in others:
                other.terminate()
                await other.wait()
            await self.stack.stop(MONITOR)

    async def _another(self, number: int) -> asyncio.subprocess.Process:
        values = {
            "DSN": self.stack.addresses.dsn("sla_monitor"),
            "KAFKA_BOOTSTRAP": self.bootstrap,
            "HTTP_PORT": "0",
            "INSTANCE_ID": f"another-{number}",
        }
        with (self.stack.folder / "logs" / f"{MONITOR}-{number}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "sla_monitor"),
                env={
                    **os.environ,
                    **{f"SLA_MONITOR_{name}": text for name, text in values.items()},
                },
                stdout=log,
                stderr=log,
            )

    async def insert(self, batch: Batch) -> None:
        """Insert clocks that fall due."""
        await seeding.seed(self.connection, batch)

    async def clear(self) -> None:
        """Delete all clocks."""
        await seeding.clear(self.connection)


@asynccontextmanager
async def ours(stack: Stack, *, instances: int) -> AsyncIterator[Ours]:
    """Connect to sla-monitor's database as its owner; starts and stops are not reported."""
    connection = await asyncpg.connect(stack.addresses.dsn("sla_monitor", owner=True))
    try:
        yield Ours(Stack.attach(stack.folder), connection, instances)
    finally:
        await connection.close()


@asynccontextmanager
async def peers(where: Addresses, logs: Path) -> AsyncIterator[Mapping[str, Peer]]:
    """Create databases and topics for all peers; remove them at the end."""
    missing = [k.needs for k in _KINDS if k.needs and importlib.util.find_spec(k.needs) is None]
    if missing:
        raise CommandError(f"{' and '.join(missing)} not installed: install lab[peers]")
    run = f"due-{uuid4().hex[:8]}"
    async with AsyncExitStack() as undo:
        client = await undo.enter_async_context(admin(where.kafka_bootstrap))
        maker = await asyncpg.connect(where.admin_dsn)
        undo.push_async_callback(maker.close)
        made = {}
        for kind in _KINDS:
            own = f"{run}-{kind.module}"
            await maker.execute(f'CREATE DATABASE "{own}"')
            undo.push_async_callback(maker.execute, f'DROP DATABASE "{own}" WITH (FORCE)')
            await client.create_topics([NewTopic(own, _PARTITIONS, 1)])
            undo.push_async_callback(client.delete_topics, [own])
            dsn = urlsplit(where.admin_dsn)._replace(path=f"/{own}").geturl()
            queries = await asyncpg.connect(dsn)
            undo.push_async_callback(queries.close)
            testbed = Testbed(where.kafka_bootstrap, dsn, own)
            made[kind.name] = Peer(kind, testbed, logs / f"{own}.log", queries)
        yield made
