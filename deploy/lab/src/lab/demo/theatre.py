"""One play on a running stack: everything opened, watched, played to its end, and proven."""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import aiohttp

from devstack.addresses import Addresses
from devstack.business_time import BusinessTime
from devstack.databases import DATABASES
from lab.demo.audit import Evidence, Finding, audit, since
from lab.demo.doors import Doors
from lab.demo.drive import Drive
from lab.demo.feed import Feed
from lab.demo.screen import Screen
from lab.demo.view import Pulse
from lab.proof.patience import patiently
from lab.proof.pipeline import Pipeline
from lab.proof.tables import Books, Tables
from lab.proof.wire import DEAD_LETTER_TOPICS, FACT_TOPICS, read_wire
from premium.broker import Broker, Offsets
from shared.basics.clock import elapsed_s, wait_at_most
from shared.basics.errors import Transient
from shared.events import SpecialistListed
from shared.platform.publisher import Publisher

__all__ = ["Plan", "Theatre", "theatre"]

_TOPICS: Final = (*FACT_TOPICS, *DEAD_LETTER_TOPICS)
_ROSTER: Final = (SpecialistListed.topic,)
_FRAME_S: Final = 0.2
_LAG_EVERY_S: Final = 2.0
_RATE_FRAMES: Final = 10
_LOOK_S: Final = 0.1
_SILENT_S_MAX: Final = 120.0
"""When nothing has happened for so long, nothing will: the proof then says what is missing."""
_TIDY_S_MAX: Final = 10.0
_CONNECTIONS: Final = 8
_HTTP_S: Final = aiohttp.ClientTimeout(total=15)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to play. A day lasts ``day_s`` seconds; without ``once``, days follow each other.

    At ``desks`` people sit: the play leaves to them what comes there.
    """

    seed: int
    day_s: float
    once: bool
    desks: frozenset[str] = frozenset()


@dataclass(slots=True)
class Theatre:
    """What a play works with. Setting ``stop`` breaks it off."""

    addresses: Addresses
    broker: Broker
    tables: Tables
    doors: Doors
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _behind: dict[str, int] = field(default_factory=dict)
    _heard: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_RATE_FRAMES))

    async def play(self, plan: Plan, screen: Screen) -> list[Finding] | None:
        """Play until the day is done and proven; None when it was broken off.

        Business time is real time again afterwards, in any case. Raises Transient when a server
        stays away.
        """
        time = BusinessTime(self.tables.databases)
        async with time.alone():
            before = await patiently(self.tables.books)
            begins = await patiently(lambda: self.broker.ends(_TOPICS))
            drive = await self._drive(plan, time)
            try:
                await self._perform(drive, begins, plan, screen)
            except* Transient as failures:
                raise failures.exceptions[0] from None
            finally:
                await asyncio.shield(drive.end())
            return None if self.stop.is_set() else await self._prove(begins, before)

    async def _drive(self, plan: Plan, time: BusinessTime) -> Drive:
        real_now = await patiently(time.real_now)
        return Drive(
            run=secrets.token_hex(3),
            seed=plan.seed,
            day_lasts=timedelta(seconds=plan.day_s),
            for_ever=not plan.once,
            desks=plan.desks,
            zero=real_now - timedelta(seconds=elapsed_s()),
            doors=self.doors,
            time=time,
        )

    async def _perform(self, drive: Drive, begins: Offsets, plan: Plan, screen: Screen) -> None:
        roster = dict.fromkeys(await patiently(lambda: self.broker.ends(_ROSTER)), 0)
        feed = Feed(
            self.addresses.kafka_bootstrap,
            begins | roster,
            on_event=drive.hear,
            on_dead_letter=drive.hear_dead_letter,
        )
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(feed.run())]
            await self._until(lambda: self._is_read(feed, _ROSTER))
            await drive.workforce.open()
            await self._until(self._is_at_rest)
            await drive.begin()
            works = (
                drive.agenda.run(),
                drive.keep_pace(),
                self._watch_lag(),
                self._show(drive, screen),
            )
            tasks += [group.create_task(work) for work in works]
            await self._until(lambda: self._is_over(drive, feed, plan))
            if self.stop.is_set():
                await wait_at_most(self._until(lambda: self._is_tidy(drive, feed)), _TIDY_S_MAX)
            for task in tasks:
                task.cancel()

    async def _until(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        while not await is_so():
            await wait_at_most(asyncio.Event().wait(), _LOOK_S)

    async def _is_read(self, feed: Feed, topics: Sequence[str]) -> bool:
        return feed.has_read(await patiently(lambda: self.broker.ends(topics)))

    async def _is_over(self, drive: Drive, feed: Feed, plan: Plan) -> bool:
        if self.stop.is_set():
            return True
        return plan.once and await self._is_quiet(drive, feed)

    async def _is_tidy(self, drive: Drive, feed: Feed) -> bool:
        drive.break_off()
        return await self._is_quiet(drive, feed)

    async def _is_quiet(self, drive: Drive, feed: Feed) -> bool:
        """Tell whether nothing is left to do: for upstream, services, specialists, in this order.

        What the services said last may give the specialists more to do, hence the second look.
        What a person has to do stands on no agenda: router knows of it.
        """
        if not drive.agenda.is_done():
            return False
        if elapsed_s(drive.heard_at_s) > _SILENT_S_MAX:
            return True
        at_rest = await self._is_at_rest() and await self._is_read(feed, _TOPICS)
        if not at_rest or drive.has_any_of(await patiently(self.tables.in_hands)):
            return False
        return drive.agenda.is_done()

    async def _is_at_rest(self) -> bool:
        return await patiently(self._pipeline.unrest) is None

    async def _watch_lag(self) -> None:
        while True:
            with suppress(Transient):
                self._behind = await self._pipeline.behind()
            await wait_at_most(asyncio.Event().wait(), _LAG_EVERY_S)

    async def _show(self, drive: Drive, screen: Screen) -> None:
        with screen.lit():
            while True:
                self._heard.append((elapsed_s(), drive.heard))
                screen.show(drive.board, self._pulse(drive))
                await wait_at_most(asyncio.Event().wait(), _FRAME_S)

    def _pulse(self, drive: Drive) -> Pulse:
        (first_s, first), (last_s, last) = self._heard[0], self._heard[-1]
        business = drive.now()
        scene, speed = drive.pace.scene_at(drive.real_now())
        return Pulse(
            business=business,
            scene=scene,
            speed=speed,
            day_part=(business - drive.midnight) / timedelta(days=1),
            events_per_s=(last - first) / max(last_s - first_s, _FRAME_S),
            silent_s=elapsed_s(drive.heard_at_s),
            behind=self._behind,
        )

    async def _prove(self, begins: Offsets, before: Books) -> list[Finding]:
        ends = await patiently(lambda: self.broker.ends(_TOPICS))
        wire = await patiently(lambda: read_wire(self.broker.bootstrap, begins, ends))
        books = since(before, await patiently(self.tables.books))
        return audit(
            Evidence(
                ledger=self.doors.ledger,
                wire=wire,
                books=books,
                mails=await patiently(self._mails),
                surprises=self.doors.surprises,
            )
        )

    async def _mails(self) -> frozenset[str]:
        """Read which deliveries the sink has: a message id is the delivery's."""
        try:
            page = f"{self.addresses.mail_page}/mails.json"
            async with self.doors.http.get(page, raise_for_status=True) as answer:
                mails = (await answer.json())["mails"]
        except (aiohttp.ClientError, TimeoutError) as e:
            raise Transient(f"the mail sink: {type(e).__name__}: {e}") from e
        return frozenset(mail["message_id"].strip("<>").partition("@")[0] for mail in mails)

    @property
    def _pipeline(self) -> Pipeline:
        return Pipeline(self.broker, self.tables)


@asynccontextmanager
async def theatre(addresses: Addresses) -> AsyncIterator[Theatre]:
    """Connect to a stack."""
    async with AsyncExitStack() as opened:
        tables = Tables({name: addresses.dsn(name, owner=True) for name in DATABASES})
        opened.push_async_callback(tables.stop)
        await patiently(tables.start)
        broker = Broker(addresses.kafka_bootstrap)
        opened.push_async_callback(broker.close)
        publisher = Publisher(addresses.kafka_bootstrap, service="premium")
        opened.push_async_callback(publisher.stop)
        http = await opened.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS), timeout=_HTTP_S
            )
        )
        doors = Doors(
            http,
            publisher,
            addresses.http("intake"),
            addresses.headers("intake"),
            addresses.http("router"),
            addresses.headers("router"),
        )
        yield Theatre(addresses, broker, tables, doors)
