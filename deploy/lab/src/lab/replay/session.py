"""One replay through a running stack: a roster with room for all, the log, and the proof."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import uuid5

from devstack.addresses import Addresses
from devstack.databases import DATABASES
from lab.broker import Broker, Offsets
from lab.proof.patience import patiently
from lab.proof.pipeline import Pipeline
from lab.proof.tables import Tables
from lab.proof.verdict import judge
from lab.proof.wire import DEAD_LETTER_TOPICS, FACT_TOPICS, Wire, read_wire
from lab.replay.log import Log
from lab.replay.memory import MemoryWatch
from lab.replay.pick_up import Specialists, specialists
from lab.replay.play import Player
from lab.replay.report import Report, report_on
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
"""One, with room for any log: of several, who takes what would depend on the order of work."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a replay works with."""

    broker: Broker
    tables: Tables
    publisher: Publisher
    specialists: Specialists
    watch: MemoryWatch

    async def run(
        self, log: Log, *, mapping: str, speed: float, advance: Callable[[int], None]
    ) -> Report:
        """Replay a log and prove what became of it. Raises CommandError, Stuck, Transient."""
        await self._demand_empty()
        since = await patiently(self._ends)
        await self._list_accounts(log)
        await self._list_people(log.told[0].at)
        if speed:
            await self.specialists.assign_directly()
        player = Player(
            publisher=self.publisher,
            tables=self.tables,
            pipeline=Pipeline(self.broker, self.tables),
            specialists=self.specialists,
            advance=advance,
        )
        started = elapsed_s()
        async with self.watch:
            await player.play(log.told, speed=speed)
        seconds = elapsed_s(started)
        wire = await patiently(lambda: self._read(since))
        books = await patiently(self.tables.books)
        return report_on(
            log,
            wire,
            books,
            judge((told.document for told in log.told), wire, books),
            mapping=mapping,
            speed=speed,
            seconds=seconds,
            memory=self.watch.found,
            state_digests=await patiently(self.tables.digests),
        )

    async def _demand_empty(self) -> None:
        """Refuse others' tickets: moving time would break what is promised to them."""
        tickets = await patiently(self.tables.tickets)
        others = await patiently(
            lambda: self.tables.specialists(besides=[one.specialist_id for one in _PEOPLE])
        )
        if tickets or others:
            raise CommandError(
                f"a replay moves time and needs an empty stack, this one has {tickets} tickets and"
                f" {others} specialists: leave out --here, or `premium down --wipe` first"
            )

    async def _list_accounts(self, log: Log) -> None:
        """Let everybody who asks in the log be entitled, as whom the mapping says."""
        accounts = log.accounts()
        listed = list(records(accounts, log.told[0].at))
        await patiently(lambda: self.publisher.publish(listed))

    async def _list_people(self, listed_at: datetime) -> None:
        envelopes = (
            Envelope(uuid5(NAMESPACE, one.specialist_id), "premium-replay", listed_at, one)
            for one in _PEOPLE
        )
        records = [compacted_record(envelope) for envelope in envelopes]
        await patiently(lambda: self.publisher.publish(records))

    async def _ends(self) -> Offsets:
        return await self.broker.ends(_TOPICS)

    async def _read(self, since: Offsets) -> Wire:
        return await read_wire(self.broker.bootstrap, since, await self._ends())


@asynccontextmanager
async def session(addresses: Addresses, watch: MemoryWatch) -> AsyncIterator[Session]:
    """Connect to a stack."""
    async with AsyncExitStack() as opened:
        tables = Tables({name: addresses.dsn(name, owner=True) for name in DATABASES})
        opened.push_async_callback(tables.stop)
        await patiently(tables.start)
        broker = Broker(addresses.kafka_bootstrap)
        opened.push_async_callback(broker.close)
        publisher = Publisher(addresses.kafka_bootstrap, service="premium")
        opened.push_async_callback(publisher.stop)
        people = await opened.enter_async_context(
            specialists(tables, addresses.http("router"), addresses.headers("router"))
        )
        yield Session(broker, tables, publisher, people, watch)
