"""Family A, processes: killed, stopped, told to end, or two at once; a storm ends the same."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM, Signals
from typing import Final

import pytest
from tests.integration.router.proxy import Fate, Message, Proxy, proxied
from tests.integration.router.router_processes import Living, Nursery, living
from tests.integration.router.storm import End, keeping_books

from premium.keys.store import connected
from shared.events import Envelope, Event, TicketAccepted
from shared.testing.databases import MakeDatabase
from shared.testing.servers import Servers
from shared.testing.topics import Topics

CLAIM: Final = "INSERT INTO processed_event"
OLDEST: Final = "SELECT id, topic, key"
DELETE: Final = "DELETE FROM outbox"
AMID: Final = 12
TERMS: Final = 5
MESSAGES_MIN: Final = 10
KILL_EVERY: Final = 5
KILLS_MIN: Final = 3
RECORDS_MEANWHILE: Final = 5
CLAIM_BEGINS: Final = "WITH come"
TIME: Final = "SELECT premium_now()"

# As the operator's command has it, in a hurry.
IDLE: Final = """
    ALTER ROLE {0} SET idle_in_transaction_session_timeout = '2s';
    DO $$ BEGIN
        IF current_setting('server_version_num')::int >= 170000 THEN
            ALTER ROLE {0} SET transaction_timeout = '10s';
        END IF;
    END $$;
"""

type Stage = Callable[[int], AbstractAsyncContextManager[tuple[Living, list[Proxy]]]]


@pytest.fixture
def stage(servers: Servers, database: MakeDatabase, topics: Topics, cradle: Nursery) -> Stage:
    """Run so many routers, each behind a proxy of its own."""

    @asynccontextmanager
    async def run(routers: int) -> AsyncIterator[tuple[Living, list[Proxy]]]:
        fresh = await database("router")
        async with connected(servers.postgres_dsn) as admin:
            await admin.execute(IDLE.format(fresh.roles[0]))
        async with AsyncExitStack() as stack:
            books = await stack.enter_async_context(keeping_books(fresh))
            proxies = [await stack.enter_async_context(proxied(fresh.dsn)) for _ in range(routers)]
            dsns = [proxy.dsn for proxy in proxies]
            yield await stack.enter_async_context(living(cradle, dsns, topics, books)), proxies

    return run


class Striker:
    """Sends a router a signal at one place after another, and starts it anew when it has ended."""

    def __init__(self, router: Living, proxy: Proxy, by: Signals) -> None:
        self._router = router
        self._proxy = proxy
        self._by = by
        self._struck = asyncio.Event()
        self.strikes = 0

    def strike(self) -> None:
        """Send it, and aim no more until another is there."""
        self._proxy.let_pass()
        self.strikes += 1
        self._router.signal(self._by)
        self._struck.set()

    async def keep(self, judge: Callable[[Message], Fate]) -> None:
        """Let there be a router, whatever befalls it."""
        while True:
            self._proxy.judge = judge
            await self._struck.wait()
            self._struck.clear()
            await self._router.again()

    async def play(self, judge: Callable[[Message], Fate]) -> End:
        """Play the storm with a router that ``judge`` may strike."""
        keeping = asyncio.create_task(self.keep(judge))
        try:
            return await self._router.play()
        finally:
            keeping.cancel()


class Places:
    """All places between receiving a record and committing its offset, one after another.

    First each statement of a record's transaction, until it is committed; then the others, at
    whatever comes there next.
    """

    def __init__(self, strike: Callable[[], None]) -> None:
        self._strike = strike
        self._wanted = 2  # by now it is known whose transaction it is
        self._is_through = False
        self._is_announced = False
        self.armed = False
        """Until the first request comes."""
        self.statements = 0
        self.left: list[tuple[str, Fate]] = [
            ("a record's COMMIT", "answer lost"),
            (OLDEST, "cut"),
            (OLDEST, "answer lost"),
            (DELETE, "cut"),
            (DELETE, "answer lost"),
            ("another's COMMIT", "cut"),
            ("another's COMMIT", "answer lost"),
        ]

    def judge(self, message: Message) -> Fate:
        """Strike where it is next."""
        if not self.armed:
            return "pass"
        if message.only_prepares:
            self._wanted += CLAIM in message.first and message.number == self._wanted
            return "pass"
        if not self._is_through:
            return self._statement(message)
        place = self._place(message)
        if not self.left or not place.startswith(self.left[0][0]):
            return "pass"
        self._strike()
        return self.left.pop(0)[1]

    def _statement(self, message: Message) -> Fate:
        if CLAIM not in message.first or message.number != self._wanted:
            return "pass"
        self._wanted += 1
        self.statements += 1
        self._is_through = message.is_commit
        self._strike()
        return "cut"

    def _place(self, message: Message) -> str:
        if message.is_commit and message.first.startswith((CLAIM_BEGINS, TIME)):
            self._is_announced = True
            return "a record's COMMIT" if CLAIM in message.first else "another's COMMIT"
        if message.text.startswith(OLDEST) and not self._is_announced:
            return "nothing to publish"
        self._is_announced &= not message.text.startswith(DELETE)
        return message.text


async def test_sigkill_at_each_await_from_receiving_to_committing_the_offset(
    stage: Stage, calm: End
) -> None:
    """Before each statement of a record, its COMMIT, and after it; around reading what to publish.

    Also when it is published and not deleted; and around the COMMIT of acts and sweeps.
    """
    async with stage(1) as (router, [proxy]):
        striker = Striker(router, proxy, SIGKILL)
        places = Places(striker.strike)

        async def arm(envelope: Envelope[Event]) -> None:
            places.armed |= isinstance(envelope.event, TicketAccepted)

        router.before_take = arm
        assert await striker.play(places.judge) == calm
    assert not places.left
    assert places.statements > MESSAGES_MIN


async def test_sigkill_when_the_offset_is_committed(stage: Stage, calm: End) -> None:
    """Killed again and again with nothing in hand: nothing comes again, nothing is lost."""
    async with stage(1) as (router, [proxy]):
        striker = Striker(router, proxy, SIGKILL)
        takes = 0

        async def kill(_: Envelope[Event]) -> None:
            nonlocal takes
            takes += 1
            if takes % KILL_EVERY == 0:
                await router.until_read()
                striker.strike()

        router.before_take = kill
        assert await striker.play(lambda _: "pass") == calm
    assert striker.strikes >= KILLS_MIN


async def test_sigterm_during_a_batch(stage: Stage, calm: End) -> None:
    """The batch in hand is finished, what was announced is published; the next goes on there."""
    async with stage(1) as (router, [proxy]):
        striker = Striker(router, proxy, SIGTERM)

        def judge(message: Message) -> Fate:
            if CLAIM in message.first and message.number == AMID and striker.strikes < TERMS:
                striker.strike()
            return "pass"

        assert await striker.play(judge) == calm
    assert striker.strikes == TERMS


async def test_two_routers_at_once(stage: Stage, calm: End) -> None:
    """Each takes its partitions, both sweep; each act is done at both at one moment, as one."""
    async with stage(2) as (routers, _):
        routers.at_all = True
        assert await routers.play() == calm


async def test_a_zombie(stage: Stage, calm: End) -> None:
    """Stopped while it decides alone; the other goes on; woken, it has no say any more."""
    async with stage(2) as (routers, [proxy, _]):
        others = 0

        def stop(message: Message) -> Fate:
            amid = message.number >= AMID and not message.only_prepares
            if message.first.startswith(TIME) and amid:
                proxy.let_pass()
                routers.stopped.add(0)
                routers.signal(SIGSTOP)
            return "pass"

        async def wake(_: Envelope[Event]) -> None:
            nonlocal others
            others += 0 in routers.stopped
            if others == RECORDS_MEANWHILE:
                routers.stopped.clear()
                routers.signal(SIGCONT)

        proxy.judge = stop
        routers.before_take = wake
        assert await routers.play() == calm
    assert others >= RECORDS_MEANWHILE
