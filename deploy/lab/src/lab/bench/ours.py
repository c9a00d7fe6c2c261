"""The running stack, as it is measured."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import aiohttp
import psutil

from devstack.addresses import Addresses
from devstack.databases import DATABASES
from lab.bench.load import accounts, inbound, roster
from lab.bench.measures import until_rest
from lab.broker import Broker
from lab.own_stack import refuse_others
from lab.proof.pipeline import Pipeline
from lab.proof.tables import Tables
from premium.accounts.topic import records
from premium.errors import CommandError
from premium.topics import compacted_record
from shared.events import INBOUND_TOPIC, SupportRequest
from shared.platform import postgres
from shared.platform.publisher import Publisher

__all__ = ["Ours", "ours"]

_TOPICS: Final = (
    *(INBOUND_TOPIC, "tickets.v1", "assignments.v1"),
    *("clocks.v1", "breaches.v1", "notifications.v1"),
)
_PLANNED: Final = "SELECT count(*) FROM delivery"


@dataclass
class Ours:
    """The four services, observed from outside."""

    bootstrap: str
    processes: Mapping[str, psutil.Process]
    _tables: Tables
    _pipeline: Pipeline
    _publisher: Publisher
    _intake: aiohttp.ClientSession
    topics: Sequence[str] = _TOPICS
    assigned: str = "assignments.v1"
    broken: str = "breaches.v1"

    async def now(self) -> datetime:
        """Return the time by which promises are judged."""
        async with self._tables.databases["sla_monitor"].session() as session:
            return await postgres.now(session)

    async def send(self, wanted: Sequence[SupportRequest]) -> None:
        """Publish requests on the inbound topic."""
        await self._publisher.publish(inbound(request) for request in wanted)

    async def submit(self, request: SupportRequest) -> None:
        """Post one request over HTTP. Raises CommandError if it is refused."""
        headers = {"content-type": "application/json"}
        content = request.model_dump_json()
        async with self._intake.post("/v1/tickets", data=content, headers=headers) as answer:
            if not answer.ok:
                refusal = f"{answer.status} {await answer.text()}"
                raise CommandError(f"intake refused a request: {refusal}")

    async def start_clocks(self, wanted: Sequence[SupportRequest]) -> None:
        """Publish the requests; sla-monitor then starts their clocks."""
        await self.send(wanted)

    async def planned(self) -> int:
        """Count all planned deliveries."""
        async with self._tables.databases["notifier"].session() as session:
            count: int = await session.fetchval(_PLANNED)
        return count

    async def unrest(self) -> str | None:
        """Describe unfinished work; None if there is none. Raises Transient without a server."""
        return await self._pipeline.unrest()


@asynccontextmanager
async def ours(
    addresses: Addresses, processes: Mapping[str, psutil.Process]
) -> AsyncIterator[Ours]:
    """Connect to a running stack, and publish the benchmark's specialists and accounts."""
    tables = Tables({db: addresses.dsn(db, owner=True) for db in DATABASES})
    broker = Broker(addresses.kafka_bootstrap)
    publisher = Publisher(addresses.kafka_bootstrap, service="bench")
    headers = addresses.headers("intake")
    async with aiohttp.ClientSession(addresses.http("intake"), headers=headers) as intake:
        try:
            await tables.start()
            await refuse_others(tables)
            subject = Ours(
                addresses.kafka_bootstrap,
                processes,
                tables,
                Pipeline(broker, tables),
                publisher,
                intake,
            )
            at = await subject.now()
            await publisher.publish([*records(accounts(), at), *map(compacted_record, roster(at))])
            await until_rest(subject)
            yield subject
        finally:
            await publisher.stop()
            await tables.stop()
            await broker.close()
