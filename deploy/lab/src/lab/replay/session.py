"""One replay on a running stack: publishes accounts and a specialist, sends the log, verifies."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid5

from devstack.addresses import Addresses
from lab.broker import Broker, Offsets
from lab.proof.connections import connected
from lab.proof.pipeline import Pipeline
from lab.proof.published import DEAD_LETTER_TOPICS, FACT_TOPICS, PublishedFacts, read_published
from lab.proof.retry import with_retry
from lab.proof.tables import Tables
from lab.proof.verdict import verify
from lab.replay.log import Log
from lab.replay.memory import MemoryWatch
from lab.replay.report import Report, report_on
from lab.replay.runner import ReplayRunner
from lab.replay.specialists import Specialists, specialists
from premium.accounts.topic import records
from premium.errors import CommandError
from premium.topics import compacted_record
from shared.basics.clock import elapsed_s
from shared.events import NAMESPACE, Envelope, SpecialistListed
from shared.platform.publisher import Publisher

__all__ = ["Session", "session"]

_TOPICS: Final = (*FACT_TOPICS, *DEAD_LETTER_TOPICS)
_PEOPLE: Final = (
    SpecialistListed(
        specialist_id="replay",
        name="Replay",
        mail="replay@support.example",
        languages=("en",),
        capacity=dict.fromkeys(("email", "phone", "chat"), 1_000_000),
        auto_ring=True,
    ),
)
"""One specialist with capacity for any log: among several, assignments would depend on timing."""


@dataclass(frozen=True, slots=True)
class Session:
    """The connections of a replay."""

    broker: Broker
    tables: Tables
    publisher: Publisher
    specialists: Specialists
    watch: MemoryWatch

    async def run(
        self, log: Log, *, mapping: str, speed: float, advance: Callable[[int], None]
    ) -> Report:
        """Replay a log and verify the result. Raises CommandError, Stuck, Transient."""
        await self._require_empty()
        since = await with_retry(self._ends)
        await self._list_accounts(log)
        await self._list_people(log.documents[0].at)
        if speed:
            await self.specialists.assign_directly()
        runner = ReplayRunner(
            publisher=self.publisher,
            tables=self.tables,
            pipeline=Pipeline(self.broker, self.tables),
            specialists=self.specialists,
            advance=advance,
        )
        started = elapsed_s()
        async with self.watch:
            await runner.run(log.documents, speed=speed)
        seconds = elapsed_s(started)
        published = await with_retry(lambda: self._read(since))
        state = await with_retry(self.tables.state)
        return report_on(
            log,
            published,
            state,
            verify((one.document for one in log.documents), published, state),
            mapping=mapping,
            speed=speed,
            seconds=seconds,
            memory=self.watch.found,
            state_digests=await with_retry(self.tables.digests),
        )

    async def _require_empty(self) -> None:
        """Refuse a stack with tickets or specialists: a changed time would break promises."""
        tickets = await with_retry(self.tables.tickets)
        others = await with_retry(
            lambda: self.tables.specialists(besides=[one.specialist_id for one in _PEOPLE])
        )
        if tickets or others:
            raise CommandError(
                f"a replay changes time and needs an empty stack; this has {tickets} tickets and"
                f" {others} specialists: leave out --here, or `premium down --wipe` first"
            )

    async def _list_accounts(self, log: Log) -> None:
        """Publish the accounts of all requests, so that these are entitled."""
        accounts = log.accounts()
        listed = list(records(accounts, log.documents[0].at))
        await with_retry(lambda: self.publisher.publish(listed))

    async def _list_people(self, listed_at: datetime) -> None:
        envelopes = (
            Envelope(uuid5(NAMESPACE, one.specialist_id), "premium-replay", listed_at, one)
            for one in _PEOPLE
        )
        records = [compacted_record(envelope) for envelope in envelopes]
        await with_retry(lambda: self.publisher.publish(records))

    async def _ends(self) -> Offsets:
        return await self.broker.ends(_TOPICS)

    async def _read(self, since: Offsets) -> PublishedFacts:
        return await read_published(self.broker.bootstrap, since, await self._ends())


@asynccontextmanager
async def session(addresses: Addresses, watch: MemoryWatch) -> AsyncIterator[Session]:
    """Connect to a stack."""
    async with (
        connected(addresses) as to,
        specialists(to.tables, addresses.http("router"), addresses.headers("router")) as people,
    ):
        yield Session(to.broker, to.tables, to.publisher, people, watch)
