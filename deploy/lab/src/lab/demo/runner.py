"""Runs the demo on a stack: connects, simulates, shows, and checks the result."""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import aiohttp

from devstack.addresses import Addresses
from devstack.business_time import BusinessTime
from lab.broker import Broker, Offsets
from lab.demo.audit import Evidence, Finding, audit, since
from lab.demo.clients import Clients
from lab.demo.event_feed import EventFeed
from lab.demo.screen import Screen
from lab.demo.simulation import Simulation
from lab.demo.view import DemoStatus
from lab.proof.connections import connected
from lab.proof.pipeline import Pipeline
from lab.proof.published import DEAD_LETTER_TOPICS, FACT_TOPICS, read_published
from lab.proof.retry import with_retry
from lab.proof.tables import DatabaseState, Tables
from shared.basics.clock import elapsed_s, wait_at_most
from shared.basics.errors import Transient
from shared.events import SpecialistListed

__all__ = ["DemoRunner", "Plan", "demo_runner"]

_TOPICS: Final = (*FACT_TOPICS, *DEAD_LETTER_TOPICS)
_ROSTER: Final = (SpecialistListed.topic,)
_FRAME_S: Final = 0.2
_LAG_EVERY_S: Final = 2.0
_RATE_FRAMES: Final = 10
_POLL_S: Final = 0.1
_IDLE_S_MAX: Final = 120.0
"""After so long without an event the demo ends; the proof then reports what is missing."""
_CLEAN_UP_S_MAX: Final = 10.0
_CONNECTIONS: Final = 8
_HTTP_S: Final = aiohttp.ClientTimeout(total=15)


@dataclass(frozen=True, slots=True)
class Plan:
    """The options of a demo. A day lasts ``day_s`` seconds; without ``once``, days repeat.

    ``desks`` are the specialists whom people act for.
    """

    seed: int
    day_s: float
    once: bool
    desks: frozenset[str] = frozenset()


@dataclass(slots=True)
class DemoRunner:
    """The connections of a demo. Setting ``stop`` ends it early."""

    addresses: Addresses
    broker: Broker
    tables: Tables
    clients: Clients
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _behind: dict[str, int] = field(default_factory=dict)
    _event_counts: deque[tuple[float, int]] = field(
        default_factory=lambda: deque(maxlen=_RATE_FRAMES)
    )

    async def run(self, plan: Plan, screen: Screen) -> list[Finding] | None:
        """Run until the day is finished, and return the findings; None if it was stopped early.

        Real time is restored in any case. Raises Transient if a server stays unreachable.
        """
        time = BusinessTime(self.tables.databases)
        async with time.exclusive():
            before = await with_retry(self.tables.state)
            begins = await with_retry(lambda: self.broker.ends(_TOPICS))
            simulation = await self._simulation(plan, time)
            try:
                await self._run(simulation, begins, plan, screen)
            except* Transient as failures:
                raise failures.exceptions[0] from None
            finally:
                await asyncio.shield(simulation.end())
            return None if self.stop.is_set() else await self._audit(begins, before)

    async def _simulation(self, plan: Plan, time: BusinessTime) -> Simulation:
        real_now = await with_retry(time.real_now)
        return Simulation(
            run=secrets.token_hex(3),
            seed=plan.seed,
            day_lasts=timedelta(seconds=plan.day_s),
            endless=not plan.once,
            desks=plan.desks,
            zero=real_now - timedelta(seconds=elapsed_s()),
            clients=self.clients,
            time=time,
        )

    async def _run(
        self, simulation: Simulation, begins: Offsets, plan: Plan, screen: Screen
    ) -> None:
        roster = dict.fromkeys(await with_retry(lambda: self.broker.ends(_ROSTER)), 0)
        event_feed = EventFeed(
            self.addresses.kafka_bootstrap,
            begins | roster,
            on_event=simulation.on_event,
            on_dead_letter=simulation.on_dead_letter,
        )
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(event_feed.run())]
            await self._until(lambda: self._is_read(event_feed, _ROSTER))
            await simulation.workforce.open()
            await self._until(self._is_idle)
            await simulation.begin()
            works = (
                simulation.schedule.run(),
                simulation.adjust_scale(),
                self._watch_lag(),
                self._show(simulation, screen),
            )
            tasks += [group.create_task(work) for work in works]
            await self._until(lambda: self._is_over(simulation, event_feed, plan))
            if self.stop.is_set():
                await wait_at_most(
                    self._until(lambda: self._is_cleaned_up(simulation, event_feed)),
                    _CLEAN_UP_S_MAX,
                )
            for task in tasks:
                task.cancel()

    async def _until(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        while not await is_so():
            await wait_at_most(asyncio.Event().wait(), _POLL_S)

    async def _is_read(self, event_feed: EventFeed, topics: Sequence[str]) -> bool:
        return event_feed.has_read(await with_retry(lambda: self.broker.ends(topics)))

    async def _is_over(self, simulation: Simulation, event_feed: EventFeed, plan: Plan) -> bool:
        if self.stop.is_set():
            return True
        return plan.once and await self._is_done(simulation, event_feed)

    async def _is_cleaned_up(self, simulation: Simulation, event_feed: EventFeed) -> bool:
        simulation.cancel()
        return await self._is_done(simulation, event_feed)

    async def _is_done(self, simulation: Simulation, event_feed: EventFeed) -> bool:
        """Return whether nothing is left to do for upstream, services and specialists.

        The services' last events may lead to more tasks, so the schedule is checked twice. What
        people have to do is not in the schedule, but in router's tables. Without an event for two
        minutes, all counts as done.
        """
        if not simulation.schedule.is_done():
            return False
        if elapsed_s(simulation.last_event_s) > _IDLE_S_MAX:
            return True
        at_rest = await self._is_idle() and await self._is_read(event_feed, _TOPICS)
        if not at_rest or simulation.has_any_of(await with_retry(self.tables.open_tickets)):
            return False
        return simulation.schedule.is_done()

    async def _is_idle(self) -> bool:
        return await with_retry(self._pipeline.unrest) is None

    async def _watch_lag(self) -> None:
        while True:
            with suppress(Transient):
                self._behind = await self._pipeline.behind()
            await wait_at_most(asyncio.Event().wait(), _LAG_EVERY_S)

    async def _show(self, simulation: Simulation, screen: Screen) -> None:
        with screen.live():
            while True:
                self._event_counts.append((elapsed_s(), simulation.event_count))
                screen.show(simulation.state, self._status(simulation))
                await wait_at_most(asyncio.Event().wait(), _FRAME_S)

    def _status(self, simulation: Simulation) -> DemoStatus:
        (first_s, first), (last_s, last) = self._event_counts[0], self._event_counts[-1]
        business = simulation.now()
        phase, speed = simulation.scale.phase_at(simulation.real_now())
        return DemoStatus(
            business=business,
            phase=phase,
            speed=speed,
            day_part=(business - simulation.midnight) / timedelta(days=1),
            events_per_s=(last - first) / max(last_s - first_s, _FRAME_S),
            silent_s=elapsed_s(simulation.last_event_s),
            behind=self._behind,
        )

    async def _audit(self, begins: Offsets, before: DatabaseState) -> list[Finding]:
        ends = await with_retry(lambda: self.broker.ends(_TOPICS))
        published = await with_retry(lambda: read_published(self.broker.bootstrap, begins, ends))
        state = since(before, await with_retry(self.tables.state))
        return audit(
            Evidence(
                sent=self.clients.sent,
                published=published,
                state=state,
                mails=await with_retry(self._mails),
                unexpected_answers=self.clients.unexpected_answers,
            )
        )

    async def _mails(self) -> frozenset[str]:
        """Return the ids of the deliveries in the mail sink, from the message ids of the mails."""
        try:
            page = f"{self.addresses.mail_page}/mails.json"
            async with self.clients.http.get(page, raise_for_status=True) as answer:
                mails = (await answer.json())["mails"]
        except (aiohttp.ClientError, TimeoutError) as e:
            raise Transient(f"the mail sink: {type(e).__name__}: {e}") from e
        return frozenset(mail["message_id"].strip("<>").partition("@")[0] for mail in mails)

    @property
    def _pipeline(self) -> Pipeline:
        return Pipeline(self.broker, self.tables)


@asynccontextmanager
async def demo_runner(addresses: Addresses) -> AsyncIterator[DemoRunner]:
    """Connect to a stack."""
    async with (
        connected(addresses) as to,
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS), timeout=_HTTP_S
        ) as http,
    ):
        clients = Clients(
            http,
            to.publisher,
            addresses.http("intake"),
            addresses.headers("intake"),
            addresses.http("router"),
            addresses.headers("router"),
        )
        yield DemoRunner(addresses, to.broker, to.tables, clients)
