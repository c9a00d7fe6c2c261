"""Process faults: routers are killed, suspended, stopped, or run in pairs; the result is equal."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM, Signals
from typing import Final

import pytest
from tests.integration.router.proxy import Fault, Message, Proxy, run_proxy
from tests.integration.router.router_processes import (
    ProcessFactory,
    RouterProcesses,
    router_processes,
)
from tests.integration.router.scenario import RunResult, observing

from shared.events import Envelope, Event, TicketAccepted
from shared.testing.databases import MakeDatabase
from shared.testing.keys import connected
from shared.testing.servers import Servers
from shared.testing.topics import Topics

CLAIM: Final = "INSERT INTO processed_event"
OLDEST: Final = "SELECT id, topic, key"
DELETE: Final = "DELETE FROM outbox"
MESSAGE_NUMBER: Final = 12
TERMS: Final = 5
MESSAGES_MIN: Final = 10
KILL_EVERY: Final = 5
KILLS_MIN: Final = 3
RECORDS_MEANWHILE: Final = 5
CLAIM_BEGINS: Final = "WITH come"
TIME: Final = "SELECT premium_now()"

# The operator's settings, with shorter times.
IDLE: Final = """
    ALTER ROLE {0} SET idle_in_transaction_session_timeout = '2s';
    DO $$ BEGIN
        IF current_setting('server_version_num')::int >= 170000 THEN
            ALTER ROLE {0} SET transaction_timeout = '10s';
        END IF;
    END $$;
"""

type StartRouters = Callable[
    [int], AbstractAsyncContextManager[tuple[RouterProcesses, list[Proxy]]]
]


@pytest.fixture
def start_routers(
    servers: Servers, database: MakeDatabase, topics: Topics, process_factory: ProcessFactory
) -> StartRouters:
    """Return a function that starts routers, each behind a proxy of its own."""

    @asynccontextmanager
    async def run(routers: int) -> AsyncIterator[tuple[RouterProcesses, list[Proxy]]]:
        fresh = await database("router")
        async with connected(servers.postgres_dsn) as admin:
            await admin.execute(IDLE.format(fresh.roles[0]))
        async with AsyncExitStack() as stack:
            observer = await stack.enter_async_context(observing(fresh))
            proxies = [
                await stack.enter_async_context(run_proxy(fresh.dsn)) for _ in range(routers)
            ]
            dsns = [proxy.dsn for proxy in proxies]
            yield (
                await stack.enter_async_context(
                    router_processes(process_factory, dsns, topics, observer)
                ),
                proxies,
            )

    return run


class FaultInjector:
    """Sends a router a signal at one point after another, and restarts it when it has ended."""

    def __init__(self, router: RouterProcesses, proxy: Proxy, by: Signals) -> None:
        self._router = router
        self._proxy = proxy
        self._by = by
        self._injected = asyncio.Event()
        self.injected = 0

    def inject(self) -> None:
        """Send the signal, and pause until another router runs."""
        self._proxy.stop_faults()
        self.injected += 1
        self._router.signal(self._by)
        self._injected.set()

    async def restart_forever(self, choose_fault: Callable[[Message], Fault]) -> None:
        """Restart the router whenever it ends."""
        while True:
            self._proxy.choose_fault = choose_fault
            await self._injected.wait()
            self._injected.clear()
            await self._router.restart()

    async def run(self, choose_fault: Callable[[Message], Fault]) -> RunResult:
        """Run the scenario with a router that ``judge`` may signal."""
        restarting = asyncio.create_task(self.restart_forever(choose_fault))
        try:
            return await self._router.run()
        finally:
            restarting.cancel()


class AllPoints:
    """All points between receiving a record and committing its offset, one after another.

    First each statement of a record's transaction, until it is committed; then the others, each at
    its next occurrence.
    """

    def __init__(self, inject: Callable[[], None]) -> None:
        self._inject = inject
        self._wanted = 2  # the first message that shows the kind of transaction
        self._is_through = False
        self._is_announced = False
        self.armed = False
        """False until the first request arrives."""
        self.statements = 0
        self.left: list[tuple[str, Fault]] = [
            ("a record's COMMIT", "answer lost"),
            (OLDEST, "cut"),
            (OLDEST, "answer lost"),
            (DELETE, "cut"),
            (DELETE, "answer lost"),
            ("another's COMMIT", "cut"),
            ("another's COMMIT", "answer lost"),
        ]

    def choose_fault(self, message: Message) -> Fault:
        """Inject a fault at the next point."""
        if not self.armed:
            return "pass"
        if message.only_prepares:
            self._wanted += CLAIM in message.first and message.number == self._wanted
            return "pass"
        if not self._is_through:
            return self._statement(message)
        place = self._point(message)
        if not self.left or not place.startswith(self.left[0][0]):
            return "pass"
        self._inject()
        return self.left.pop(0)[1]

    def _statement(self, message: Message) -> Fault:
        if CLAIM not in message.first or message.number != self._wanted:
            return "pass"
        self._wanted += 1
        self.statements += 1
        self._is_through = message.is_commit
        self._inject()
        return "cut"

    def _point(self, message: Message) -> str:
        if message.is_commit and message.first.startswith((CLAIM_BEGINS, TIME)):
            self._is_announced = True
            return "a record's COMMIT" if CLAIM in message.first else "another's COMMIT"
        if message.text.startswith(OLDEST) and not self._is_announced:
            return "nothing to publish"
        self._is_announced &= not message.text.startswith(DELETE)
        return message.text


async def test_sigkill_at_each_await_from_receiving_to_committing_the_offset(
    start_routers: StartRouters, undisturbed: RunResult
) -> None:
    """Before and after each statement and COMMIT of an event; before and after reading the outbox.

    Also between publishing and deleting, and around the COMMIT of commands and sweeps.
    """
    async with start_routers(1) as (router, [proxy]):
        injector = FaultInjector(router, proxy, SIGKILL)
        points = AllPoints(injector.inject)

        async def arm(envelope: Envelope[Event]) -> None:
            points.armed |= isinstance(envelope.event, TicketAccepted)

        router.before_apply = arm
        assert await injector.run(points.choose_fault) == undisturbed
    assert not points.left
    assert points.statements > MESSAGES_MIN


async def test_sigkill_when_the_offset_is_committed(
    start_routers: StartRouters, undisturbed: RunResult
) -> None:
    """Killed again and again between two records: none is repeated, none is lost."""
    async with start_routers(1) as (router, [proxy]):
        injector = FaultInjector(router, proxy, SIGKILL)
        takes = 0

        async def kill(_: Envelope[Event]) -> None:
            nonlocal takes
            takes += 1
            if takes % KILL_EVERY == 0:
                await router.until_read()
                injector.inject()

        router.before_apply = kill
        assert await injector.run(lambda _: "pass") == undisturbed
    assert injector.injected >= KILLS_MIN


async def test_sigterm_during_a_batch(start_routers: StartRouters, undisturbed: RunResult) -> None:
    """The current batch is completed and its events are published; a restart continues after it."""
    async with start_routers(1) as (router, [proxy]):
        injector = FaultInjector(router, proxy, SIGTERM)

        def choose_fault(message: Message) -> Fault:
            if (
                CLAIM in message.first
                and message.number == MESSAGE_NUMBER
                and injector.injected < TERMS
            ):
                injector.inject()
            return "pass"

        assert await injector.run(choose_fault) == undisturbed
    assert injector.injected == TERMS


async def test_two_routers_run_at_once(start_routers: StartRouters, undisturbed: RunResult) -> None:
    """They share the partitions, and both sweep; each command sent to both has one effect."""
    async with start_routers(2) as (routers, _):
        routers.ask_all = True
        assert await routers.run() == undisturbed


async def test_a_suspended_router_has_no_effect_when_it_resumes(
    start_routers: StartRouters, undisturbed: RunResult
) -> None:
    """Suspended during a decision, while the other goes on; its transaction then fails."""
    async with start_routers(2) as (routers, [proxy, _]):
        others = 0

        def stop(message: Message) -> Fault:
            amid = message.number >= MESSAGE_NUMBER and not message.only_prepares
            if message.first.startswith(TIME) and amid:
                proxy.stop_faults()
                routers.stopped.add(0)
                routers.signal(SIGSTOP)
            return "pass"

        async def wake(_: Envelope[Event]) -> None:
            nonlocal others
            others += 0 in routers.stopped
            if others == RECORDS_MEANWHILE:
                routers.stopped.clear()
                routers.signal(SIGCONT)

        proxy.choose_fault = stop
        routers.before_apply = wake
        assert await routers.run() == undisturbed
    assert others >= RECORDS_MEANWHILE
