"""One trial: the sender's result, and the processor time of intake and PostgreSQL meanwhile."""

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
from lab.bench.intake import baseline, sender
from lab.bench.intake.load_spec import LoadResult, LoadSpec
from lab.bench.load import SOURCE, accounts, inbound, requests
from lab.bench.measures import cpu_s, pause
from lab.broker import Broker
from premium.accounts.topic import records
from premium.api import admin_api
from premium.errors import CommandError
from shared.basics.clock import elapsed_s
from shared.events import ReceiptIssued
from shared.platform.admin_api import IssuedKey, NewKey
from shared.platform.publisher import Publisher

__all__ = ["Backlog", "Testbed", "Trial", "testbed"]

_POLL_S: Final = 0.05
_WAIT_S_MAX: Final = 120
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
    """The sender's result, and the seconds of processor time of servers, by name."""

    tickets: int
    sent: LoadResult
    costs_s: dict[str, float]

    @property
    def rate_hz(self) -> float:
        """Tickets per second."""
        return self.tickets / self.sent.took_s

    def cost_ms(self, name: str) -> float:
        """Return a server's processor time for one ticket."""
        return self.costs_s[name] / self.tickets * 1000

    @property
    def sender_share(self) -> float:
        """The sender's share of one core, in percent."""
        return self.sent.cpu_s / self.sent.took_s * 100


@dataclass(frozen=True, slots=True)
class Backlog:
    """How a backlog was processed: from first to last claim, and from the start to all receipts."""

    records: int
    claimed_s: float
    receipts_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Testbed:
    """The measured stack."""

    processes: dict[str, psutil.Process]
    floor_dsn: str
    intake: str
    key: str
    connection: asyncpg.Connection
    publisher: Publisher
    broker: Broker

    async def measure(  # noqa: PLR0913 - size, rate and kind of the load
        self,
        to: str,
        count: int,
        connections: int,
        *,
        rate_hz: float | None = None,
        per_request: int = 1,
        language: str | None = "en",
    ) -> Trial:
        """Run the sender. Raises CommandError if a request is refused."""
        order = LoadSpec.model_validate(
            {
                "to": to,
                "where": self.intake if to == "intake" else self.floor_dsn,
                "run": uuid4().hex,
                "at": await self.now(),
                "count": count,
                "connections": connections,
                "rate_hz": rate_hz,
                "per_request": per_request,
                "language": language,
                "key": self.key,
            }
        )
        before = {name: cpu_s(process) for name, process in self.processes.items()}
        sent = await _result(order)
        after = {name: cpu_s(process) - before[name] for name, process in self.processes.items()}
        if sent.refused:
            raise CommandError(f"intake refused {sent.refused} requests: {sent.refusal[-200:]}")
        await self.until_published()
        return Trial(count, sent, after)

    async def now(self) -> datetime:
        """Return the time by which promises are judged."""
        moment: datetime = await self.connection.fetchval(_NOW)
        return moment

    async def backlog(self, count: int) -> Backlog:
        """Publish records while intake is suspended, resume it, and time how it processes them."""
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
            if elapsed_s(since_s) > _WAIT_S_MAX:
                raise CommandError(f"{done} of {count} receipts in {_WAIT_S_MAX} s")
            await pause(_POLL_S)
        receipts_s, took_s = elapsed_s(since_s), cpu_s(intake) - before_s
        claimed_s = await self.connection.fetchval(_CLAIMED, at)
        return Backlog(count, claimed_s, receipts_s, took_s)

    async def list_accounts(self) -> None:
        """Publish the accounts, and wait until intake knows them."""
        listed = accounts()
        await self.publisher.publish(records(listed, await self.now()))
        await self._until(_LISTED, len(listed))

    async def until_published(self) -> None:
        """Wait until intake's outbox is empty, so that no trial does work of the previous one."""
        await self._until(_TO_PUBLISH, 0)

    async def _receipts(self) -> int:
        return sum((await self.broker.ends([ReceiptIssued.topic])).values())

    async def _until(self, question: str, wanted: int) -> None:
        since_s = elapsed_s()
        while (found := await self.connection.fetchval(question)) != wanted:
            if elapsed_s(since_s) > _WAIT_S_MAX:
                raise CommandError(f"intake is stuck at {found} for {_WAIT_S_MAX} s, not {wanted}")
            await pause(_POLL_S)


@asynccontextmanager
async def testbed(stack: Stack) -> AsyncIterator[Testbed]:
    """Create the baseline's tables, an API key with a high limit, and the accounts."""
    where = stack.addresses
    owner = where.dsn("intake", owner=True)
    key = await _make_key(stack)
    pids = {state.name: state.pid for state in await stack.states()}
    publisher = Publisher(where.kafka_bootstrap, service="bench")
    broker = Broker(where.kafka_bootstrap)
    connection = await asyncpg.connect(owner)
    try:
        made = Testbed(
            {name: psutil.Process(pids[name]) for name in ("intake", "postgres", "kafka")},
            await baseline.made(where.admin_dsn),
            urlsplit(where.http("intake")).netloc,
            key,
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


async def _result(order: LoadSpec) -> LoadResult:
    """Run the sender process, and read its result. Raises CommandError if it fails."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", sender.__name__),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await process.communicate(order.model_dump_json().encode())
    if process.returncode:
        lines = errors.decode().strip().splitlines() or ["no output"]
        raise CommandError(f"the sender failed: {lines[-1]}")
    return LoadResult.model_validate_json(output)


async def _make_key(stack: Stack) -> str:
    new = NewKey(
        tenant="bench",
        name="bench",
        scopes=["tickets:write"],
        owned=[SOURCE],
        rate_per_s=_NO_LIMIT,
        burst=_NO_LIMIT,
    )
    intake = admin_api(stack.profile, "intake")
    return (await intake.send("POST", "/keys", IssuedKey, new.model_dump())).key
