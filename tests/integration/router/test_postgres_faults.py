"""Family D, PostgreSQL: whatever becomes of statements and connections, a storm ends the same."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import pytest
from tests.chaos.invariants import outbox_facts
from tests.integration.router.conftest import Own
from tests.integration.router.proxy import Fate, Message, Proxy, proxied
from tests.integration.router.router_parts import InProcess, in_process
from tests.integration.router.storm import STORM, Books, End, keeping_books, play

from shared.basics.errors import Transient
from shared.platform.postgres import now
from shared.testing.databases import FreshDatabase, MakeDatabase
from shared.testing.servers import Servers

MESSAGES_MIN: Final = 10
KINDS_MIN: Final = 8
EACH: Final = 3
MUCH: Final = 61
TERMINATED_MIN: Final = 20
WAITS_MIN: Final = 20
TRIES: Final = 2
CROWD_SIZE: Final = 12
AMID: Final = 8
KILLS: Final = 2

TERMINATE: Final = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = '{}' AND application_name = 'router'
"""
LOCK_TIMEOUT: Final = "ALTER ROLE {} SET lock_timeout = '5ms'"
LOCK_TIMEOUT_AGAIN: Final = "ALTER ROLE {} RESET lock_timeout"
PLAN: Final = "ALTER ROLE {} SET {} = off"
KEEP: Final = "SELECT pg_advisory_lock(hashtext('router matching'))"
LEAVE: Final = "SELECT pg_advisory_unlock_all()"
CROWD: Final = "ALTER ROLE {} CONNECTION LIMIT {}"


@dataclass
class Stage:
    """A router in this process, behind a proxy."""

    fresh: FreshDatabase
    books: Books
    proxy: Proxy
    desk: InProcess
    admin_dsn: str

    async def administer(self, statement: str) -> list[Any]:
        """Do what takes an administrator."""
        connection = await asyncpg.connect(self.admin_dsn)
        try:
            return [*await connection.fetch(statement)]
        finally:
            await connection.close()

    async def terminate(self) -> int:
        """End router's connections; their number comes back."""
        return len(await self.administer(TERMINATE.format(self.fresh.name)))

    async def play(self) -> End:
        """Play the storm to its end."""
        answers = await play(STORM, self.desk, self.books)
        self.proxy.let_pass()
        return await self.books.end(await outbox_facts(self.books.owner), answers)


@asynccontextmanager
async def staged(fresh: FreshDatabase, admin_dsn: str) -> AsyncIterator[Stage]:
    """Set the stage."""
    async with (
        keeping_books(fresh) as books,
        proxied(fresh.dsn) as proxy,
        in_process(proxy.dsn, books) as desk,
    ):
        yield Stage(fresh, books, proxy, desk, admin_dsn)


@pytest.fixture
async def stage(servers: Servers, database: MakeDatabase) -> AsyncIterator[Stage]:
    """Have a stage on a database of its own."""
    async with staged(await database("router"), servers.postgres_dsn) as stage:
        yield stage


class EveryMessage:
    """Strikes a transaction at its first message, then, tried again, at its second, and so on.

    Each message meets each fate; each kind of step is gone through once, until a try gets to its
    end. ``kinds`` are those to be struck; None: all.
    """

    def __init__(self, proxy: Proxy, fates: Sequence[Fate], kinds: set[str] | None = None) -> None:
        self._proxy = proxy
        self._fates = fates
        self._kinds = kinds
        self._kind = ""
        self._wanted = 1
        self._left: list[Fate] = []
        self.strikes: Counter[str] = Counter()

    async def before_try(self, kind: str, tries: int) -> None:
        """Aim one further; a kind that was gone through before is let pass."""
        if tries == 0:
            self._proxy.let_pass()
            if self.strikes[kind] or (self._kinds and kind not in self._kinds):
                return
            self._kind, self._wanted, self._left = kind, 1, [*self._fates]
        elif not self._left:
            self._wanted, self._left = self._wanted + 1, [*self._fates]
        self._proxy.judge = self._judge

    def _judge(self, message: Message) -> Fate:
        if message.number != self._wanted:
            return "pass"
        if message.is_copy and "cut" not in self._fates:
            self._wanted += 1  # an error comes with the answer to a statement
            return "pass"
        self._proxy.let_pass()
        self.strikes[self._kind] += 1
        return self._left.pop(0)


async def test_each_message_is_cut_off(stage: Stage, calm: End) -> None:
    """The connection is lost before each message of a transaction, COMMIT included."""
    kinds = {"premium.ticket.accepted.v1", "accept", "decline", "say", "time"}
    every = EveryMessage(stage.proxy, ["cut"], kinds)
    stage.desk.before_try = every.before_try
    assert await stage.play() == calm
    assert every.strikes.keys() == kinds
    assert min(every.strikes.values()) > MESSAGES_MIN


async def test_each_statement_meets_a_deadlock_and_a_serialization_failure(
    stage: Stage, calm: End
) -> None:
    """Each statement of each kind of transaction ends with 40P01, and again with 40001."""
    every = EveryMessage(stage.proxy, ["40P01", "40001"])
    stage.desk.before_try = every.before_try
    assert await stage.play() == calm
    assert len(every.strikes) >= KINDS_MIN
    assert min(every.strikes.values()) > MESSAGES_MIN


async def test_each_commit_succeeds_and_its_answer_is_lost(stage: Stage, calm: End) -> None:
    """Acts, records and sweeps of each kind are done again: one effect, and the same answer."""
    lost: Counter[str] = Counter()

    async def aim(kind: str, tries: int) -> None:
        stage.proxy.let_pass()
        if tries == 0 and lost[kind] < EACH:
            lost[kind] += 1
            stage.proxy.judge = lose

    def lose(message: Message) -> Fate:
        return "answer lost" if message.is_commit else "pass"

    stage.desk.before_try = aim
    assert await stage.play() == calm
    assert len(lost) >= KINDS_MIN


async def test_a_stream_of_backends_is_terminated(stage: Stage, calm: End) -> None:
    """An administrator ends router's connections, wherever it is, each time it has said so much."""
    said, enough, is_over, terminated = 0, asyncio.Event(), False, 0

    def count(_: Message) -> Fate:
        nonlocal said
        said += 1
        if said % MUCH == 0:
            enough.set()
        return "pass"

    async def terminate() -> None:
        nonlocal terminated
        while await enough.wait() and not is_over:
            enough.clear()
            terminated += await stage.terminate()

    stage.proxy.judge = count
    async with asyncio.TaskGroup() as group:
        group.create_task(terminate())
        end = await stage.play()
        is_over = True
        enough.set()
    assert end == calm
    assert terminated >= TERMINATED_MIN


@pytest.mark.parametrize("off", ["enable_nestloop", "enable_indexscan", "enable_hashjoin"])
async def test_rows_come_in_another_order(stage: Stage, calm: End, off: str) -> None:
    """Statistics change, so do plans, and with them the order in which rows are found."""
    await stage.administer(PLAN.format(stage.fresh.roles[0], off))
    await stage.terminate()  # a new connection heeds it
    assert await stage.play() == calm


async def test_a_lock_is_not_had_in_time(stage: Stage, calm: End) -> None:
    """Somebody keeps the lock of all matching: lock_timeout ends who waits, again and again."""
    await stage.administer(LOCK_TIMEOUT.format(stage.fresh.roles[0]))
    await stage.terminate()  # a new connection heeds it
    waits = 0
    async with stage.books.owner.session() as keeper:

        async def keep(_: str, tries: int) -> None:
            nonlocal waits
            waits += tries > 0
            if tries == 0 and waits < WAITS_MIN:
                await keeper.execute(KEEP)
            elif tries == TRIES:
                await keeper.execute(LEAVE)

        stage.desk.before_try = keep
        assert await stage.play() == calm
    await stage.administer(LOCK_TIMEOUT_AGAIN.format(stage.fresh.roles[0]))
    assert waits >= WAITS_MIN


async def test_the_server_has_no_connection_left(stage: Stage, calm: End) -> None:
    """Idle sessions have taken all there are: who comes is turned away until one goes."""
    refused = 0

    async def crowd(_: str, tries: int) -> None:
        nonlocal refused
        refused += tries > 0
        if tries == 0 and refused < WAITS_MIN:
            await stage.administer(CROWD.format(stage.fresh.roles[0], 0))
            await stage.terminate()
        elif tries == TRIES:
            await stage.administer(CROWD.format(stage.fresh.roles[0], -1))

    stage.desk.before_try = crowd
    assert await stage.play() == calm
    assert refused >= WAITS_MIN


async def test_the_pool_is_exhausted(stage: Stage, calm: End) -> None:
    """Everybody of a crowd holds or awaits one of router's two connections: each gets its turn."""

    async def elbow(_: str, __: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _n in range(CROWD_SIZE):
                group.create_task(look())

    async def look() -> None:
        with suppress(Transient):
            async with stage.desk.db.transaction() as tx:
                await now(tx)

    stage.desk.before_try = elbow
    assert await stage.play() == calm


async def test_the_server_is_killed_and_comes_back(own: Own, calm: End) -> None:
    """In the midst of a transaction: what it had not committed is done again."""
    fresh = await own.databases.clone("router")
    async with staged(fresh, own.stack.addresses.admin_dsn) as stage:
        kills = 0

        async def aim(kind: str, tries: int) -> None:
            if tries == 0 and kind in {"accept", "decline"} and kills < KILLS:
                stage.proxy.judge = kill
            elif tries == 1:
                await own.stack.start("postgres")

        def kill(message: Message) -> Fate:
            nonlocal kills
            if message.number == AMID:
                stage.proxy.let_pass()
                own.stack.kill("postgres")
                kills += 1
            return "pass"

        stage.desk.before_try = aim
        assert await stage.play() == calm
        assert kills == KILLS
