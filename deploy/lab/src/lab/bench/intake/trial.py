"""One trial: an order handed to the sender, and what intake and PostgreSQL took meanwhile."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import psutil

from devstack.stack import Stack
from lab.bench.intake import floor, sender
from lab.bench.intake.order import Order, Sent
from lab.bench.load import SOURCE, accounts, inbound, requests
from lab.bench.measures import cpu_s, pause
from lab.broker import Broker
from premium.accounts.topic import records
from premium.errors import CommandError
from premium.keys import store as kept
from shared.basics.clock import elapsed_s
from shared.events import ReceiptIssued
from shared.platform.publisher import Publisher

__all__ = ["Backlog", "Ground", "Trial", "ground"]

_LOOK_S: Final = 0.05
_STUCK_S: Final = 120
_NO_LIMIT: Final = 1_000_000

_NOW: Final = "SELECT premium_now()"
_LISTED: Final = "SELECT count(DISTINCT account_id) FROM account_version"
_TO_PUBLISH: Final = "SELECT count(*) FROM outbox"
_CLAIMED: Final = """
    SELECT extract(epoch FROM max(claimed_at) - min(claimed_at))::float8
    FROM processed_event WHERE claimed_at >= $1
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """What the sender tells, and seconds of processor that servers took, by name."""

    tickets: int
    sent: Sent
    costs_s: dict[str, float]

    @property
    def rate_hz(self) -> float:
        """Tickets a second."""
        return self.tickets / self.sent.took_s

    def cost_ms(self, name: str) -> float:
        """Processor of a server for a ticket."""
        return self.costs_s[name] / self.tickets * 1000

    @property
    def sender_share(self) -> float:
        """What the sender took of one core, in percent."""
        return self.sent.cpu_s / self.sent.took_s * 100


@dataclass(frozen=True, slots=True)
class Backlog:
    """Seconds from the first claim to the last, and until the last receipt was in Kafka."""

    records: int
    claimed_s: float
    receipts_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Ground:
    """The stack, as it is measured."""

    processes: dict[str, psutil.Process]
    floor_dsn: str
    door: str
    key: str
    connection: asyncpg.Connection
    publisher: Publisher
    broker: Broker

    async def order(  # noqa: PLR0913 - an order says how much, how fast, and of what kind
        self,
        to: str,
        count: int,
        connections: int,
        *,
        rate_hz: float | None = None,
        together: int = 1,
        language: str | None = "en",
    ) -> Trial:
        """Let the sender send. Raises CommandError when anything is refused."""
        order = Order.model_validate(
            {
                "to": to,
                "where": self.door if to == "door" else self.floor_dsn,
                "run": uuid4().hex,
                "at": await self.now(),
                "count": count,
                "connections": connections,
                "rate_hz": rate_hz,
                "together": together,
                "language": language,
                "key": self.key,
            }
        )
        before = {name: cpu_s(process) for name, process in self.processes.items()}
        sent = await _sent(order)
        after = {name: cpu_s(process) - before[name] for name, process in self.processes.items()}
        if sent.refused:
            raise CommandError(f"intake refused {sent.refused} requests: {sent.refusal[-200:]}")
        await self.until_published()
        return Trial(count, sent, after)

    async def now(self) -> datetime:
        """Ask PostgreSQL for the time by which promises are judged."""
        moment: datetime = await self.connection.fetchval(_NOW)
        return moment

    async def backlog(self, count: int) -> Backlog:
        """Put records on the topic while intake is held still, let it go, and time what it does."""
        intake = self.processes["intake"]
        at = await self.now()
        wanted = [inbound(r) for r in requests(uuid4().hex, [at] * count, "en")]
        receipts = await self._receipts()
        intake.send_signal(signal.SIGSTOP)
        try:
            await self.publisher.publish(wanted)
            before_s, since_s = cpu_s(intake), elapsed_s()
        finally:
            intake.send_signal(signal.SIGCONT)
        while (done := await self._receipts() - receipts) < count:
            if elapsed_s(since_s) > _STUCK_S:
                raise CommandError(f"{done} of {count} receipts in {_STUCK_S} s")
            await pause(_LOOK_S)
        receipts_s, took_s = elapsed_s(since_s), cpu_s(intake) - before_s
        claimed_s = await self.connection.fetchval(_CLAIMED, at)
        return Backlog(count, claimed_s, receipts_s, took_s)

    async def list_accounts(self) -> None:
        """Let intake know the accounts before they ask."""
        listed = accounts()
        await self.publisher.publish(records(listed, await self.now()))
        await self._until(_LISTED, len(listed))

    async def until_published(self) -> None:
        """Let intake finish what it has to publish, so that no trial pays for the one before."""
        await self._until(_TO_PUBLISH, 0)

    async def _receipts(self) -> int:
        return sum((await self.broker.ends([ReceiptIssued.topic])).values())

    async def _until(self, question: str, wanted: int) -> None:
        since_s = elapsed_s()
        while (found := await self.connection.fetchval(question)) != wanted:
            if elapsed_s(since_s) > _STUCK_S:
                raise CommandError(f"intake is stuck at {found} for {_STUCK_S} s, not {wanted}")
            await pause(_LOOK_S)


@asynccontextmanager
async def ground(stack: Stack) -> AsyncIterator[Ground]:
    """Make the floor's tables, a key without a limit that matters, and the accounts that ask."""
    where = stack.addresses
    owner = where.dsn("intake", owner=True)
    async with kept.connected(owner) as connection:
        grant = kept.Grant(
            "bench", "bench", ["tickets:write"], [SOURCE], rate_per_s=_NO_LIMIT, burst=_NO_LIMIT
        )
        key = await kept.create(connection, grant)
    pids = {state.name: state.pid for state in await stack.states()}
    publisher = Publisher(where.kafka_bootstrap, service="bench")
    broker = Broker(where.kafka_bootstrap)
    connection = await asyncpg.connect(owner)
    try:
        made = Ground(
            {name: psutil.Process(pids[name]) for name in ("intake", "postgres", "kafka")},
            await floor.made(where.admin_dsn),
            urlsplit(where.http("intake")).netloc,
            key.text,
            connection,
            publisher,
            broker,
        )
        await made.list_accounts()
        yield made
    finally:
        await connection.close()
        await publisher.stop()
        await broker.close()


async def _sent(order: Order) -> Sent:
    """Start the sender, and read what it tells. Raises CommandError when it breaks off."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", sender.__name__),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    told, errors = await process.communicate(order.model_dump_json().encode())
    if process.returncode:
        lines = errors.decode().strip().splitlines() or ["it said nothing"]
        raise CommandError(f"the sender broke off: {lines[-1]}")
    return Sent.model_validate_json(told)
