"""What is compared: the peers as processes with databases of their own, and ours in its stack."""

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
from lab.bench.due.peers.line import DONE, GROUND, WORK, Ground
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
    """A peer, and how to take out what it left undone."""

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
    """A peer, which runs only while it is its turn."""

    def __init__(self, kind: _Kind, ground: Ground, log: Path, asking: asyncpg.Connection) -> None:
        self.name = kind.name
        self.bootstrap = ground.bootstrap
        self.topic = ground.topic
        self._kind = kind
        self._ground = ground
        self._log = log
        self._asking = asking
        self._process: asyncio.subprocess.Process | None = None

    async def now(self) -> datetime:
        """Ask PostgreSQL for the time."""
        moment: datetime = await self._asking.fetchval(_NOW)
        return moment

    async def prepare(self, batch: Batch) -> None:
        """Plant clocks that stay open, while nothing works."""
        async with self._started():
            await self.plant(batch)
        await self._asking.execute(_SETTLE, timeout=None)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Let it work for a while, and leave none of what it did not get done."""
        async with self._started():
            await self._order(WORK)
            yield
        await self._asking.execute(self._kind.clear)

    async def plant(self, batch: Batch) -> None:
        """Plant clocks, while it runs."""
        await self._order(batch.order())

    @asynccontextmanager
    async def _started(self) -> AsyncIterator[None]:
        with self._log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"{_PEERS}.{self._kind.module}"),
                env={**os.environ, GROUND: json.dumps(asdict(self._ground))},
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

    async def _order(self, line: str) -> None:
        assert self._process is not None  # noqa: S101 - it is its turn
        assert self._process.stdin is not None  # noqa: S101 - asked for
        self._process.stdin.write(f"{line}\n".encode())
        await self._answer()

    async def _answer(self) -> None:
        """Wait for its word. Raises CommandError when it does not come."""
        assert self._process is not None  # noqa: S101 - as above
        assert self._process.stdout is not None  # noqa: S101 - as above
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_S):
                if (await self._process.stdout.readline()).decode().strip() == DONE:
                    return
        raise CommandError(f"{self.name} does not answer: {last_line(self._log)}")


class Ours:
    """sla-monitor in its stack; who works is up to the stack."""

    name = "ours"
    topic = seeding.TOPIC

    def __init__(self, stack: Stack, connection: asyncpg.Connection, instances: int) -> None:
        self._instances = instances
        self.bootstrap = stack.addresses.kafka_bootstrap
        self.connection = connection
        self.stack = stack

    async def now(self) -> datetime:
        """Ask PostgreSQL for the time by which promises are judged."""
        moment: datetime = await self.connection.fetchval(_BUSINESS_NOW)
        return moment

    async def prepare(self, batch: Batch) -> None:
        """Plant clocks that stay open."""
        await seeding.seed(self.connection, batch)
        await seeding.settle(self.connection)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Let the monitor run for a while, with as many beside it as were asked for."""
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
        told = {
            "DSN": self.stack.addresses.dsn("sla_monitor"),
            "KAFKA_BOOTSTRAP": self.bootstrap,
            "HTTP_PORT": "0",
            "INSTANCE_ID": f"another-{number}",
        }
        with (self.stack.folder / "logs" / f"{MONITOR}-{number}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "sla_monitor"),
                env={**os.environ, **{f"SLA_MONITOR_{name}": text for name, text in told.items()}},
                stdout=log,
                stderr=log,
            )

    async def plant(self, batch: Batch) -> None:
        """Plant clocks that fall due."""
        await seeding.seed(self.connection, batch)

    async def clear(self) -> None:
        """Forget all clocks."""
        await seeding.clear(self.connection)


@asynccontextmanager
async def ours(stack: Stack, *, instances: int) -> AsyncIterator[Ours]:
    """Reach into sla-monitor's database as its owner; its turns go without comment."""
    connection = await asyncpg.connect(stack.addresses.dsn("sla_monitor", owner=True))
    try:
        yield Ours(Stack.attach(stack.folder), connection, instances)
    finally:
        await connection.close()


@asynccontextmanager
async def peers(where: Addresses, logs: Path) -> AsyncIterator[Mapping[str, Peer]]:
    """Make databases and topics for all peers, and leave nothing of them."""
    missing = [k.needs for k in _KINDS if k.needs and importlib.util.find_spec(k.needs) is None]
    if missing:
        raise CommandError(f"{' and '.join(missing)} not installed: install premium[peers]")
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
            asking = await asyncpg.connect(dsn)
            undo.push_async_callback(asking.close)
            ground = Ground(where.kafka_bootstrap, dsn, own)
            made[kind.name] = Peer(kind, ground, logs / f"{own}.log", asking)
        yield made
