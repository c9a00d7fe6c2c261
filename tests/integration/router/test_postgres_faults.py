"""PostgreSQL faults: whatever happens to statements and connections, the result is equal."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import pytest
from tests.chaos.invariants import outbox_facts
from tests.integration.router.conftest import OwnServers
from tests.integration.router.proxy import Fault, Message, Proxy, run_proxy
from tests.integration.router.router_parts import InProcess, in_process
from tests.integration.router.scenario import SCENARIO, Observer, RunResult, observing, run_scenario

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
MESSAGE_NUMBER: Final = 8
KILLS: Final = 2

TERMINATE: Final = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = '{}' AND application_name = 'router'
"""
LOCK_TIMEOUT: Final = "ALTER ROLE {} SET lock_timeout = '5ms'"
LOCK_TIMEOUT_AGAIN: Final = "ALTER ROLE {} RESET lock_timeout"
PLAN: Final = "ALTER ROLE {} SET {} = off"
HOLD_LOCK: Final = "SELECT pg_advisory_lock(hashtext('router matching'))"
RELEASE_LOCK: Final = "SELECT pg_advisory_unlock_all()"
CROWD: Final = "ALTER ROLE {} CONNECTION LIMIT {}"


@dataclass
class RouterBehindProxy:
    """A router in this process, behind a proxy."""

    fresh: FreshDatabase
    observer: Observer
    proxy: Proxy
    steps: InProcess
    admin_dsn: str

    async def administer(self, statement: str) -> list[Any]:
        """Execute a statement as administrator."""
        connection = await asyncpg.connect(self.admin_dsn)
        try:
            return [*await connection.fetch(statement)]
        finally:
            await connection.close()

    async def terminate(self) -> int:
        """Terminate router's connections; return their number."""
        return len(await self.administer(TERMINATE.format(self.fresh.name)))

    async def run(self) -> RunResult:
        """Run the scenario and return its result."""
        answers = await run_scenario(SCENARIO, self.steps, self.observer)
        self.proxy.stop_faults()
        return await self.observer.end(await outbox_facts(self.observer.owner), answers)


@asynccontextmanager
async def router_behind_proxy(
    fresh: FreshDatabase, admin_dsn: str
) -> AsyncIterator[RouterBehindProxy]:
    """Start a router behind a proxy."""
    async with (
        observing(fresh) as observer,
        run_proxy(fresh.dsn) as proxy,
        in_process(proxy.dsn, observer) as steps,
    ):
        yield RouterBehindProxy(fresh, observer, proxy, steps, admin_dsn)


@pytest.fixture
async def router(servers: Servers, database: MakeDatabase) -> AsyncIterator[RouterBehindProxy]:
    """Start a router on a database of its own."""
    async with router_behind_proxy(await database("router"), servers.postgres_dsn) as router:
        yield router


class EveryMessage:
    """Injects a fault at a transaction's first message, at the second when it is repeated, etc.

    Each message meets each fault. Each kind of step is covered once, until an attempt completes.
    ``kinds`` are the kinds of steps to cover; None: all.
    """

    def __init__(self, proxy: Proxy, fates: Sequence[Fault], kinds: set[str] | None = None) -> None:
        self._proxy = proxy
        self._fates = fates
        self._kinds = kinds
        self._kind = ""
        self._wanted = 1
        self._left: list[Fault] = []
        self.injected: Counter[str] = Counter()

    async def before_try(self, kind: str, tries: int) -> None:
        """Advance to the next message; kinds that are already covered get no fault."""
        if tries == 0:
            self._proxy.stop_faults()
            if self.injected[kind] or (self._kinds and kind not in self._kinds):
                return
            self._kind, self._wanted, self._left = kind, 1, [*self._fates]
        elif not self._left:
            self._wanted, self._left = self._wanted + 1, [*self._fates]
        self._proxy.choose_fault = self._choose_fault

    def _choose_fault(self, message: Message) -> Fault:
        if message.number != self._wanted:
            return "pass"
        if message.is_copy and "cut" not in self._fates:
            self._wanted += 1  # only the response to a statement can be an error
            return "pass"
        self._proxy.stop_faults()
        self.injected[self._kind] += 1
        return self._left.pop(0)


async def test_the_connection_is_lost_at_each_message(
    router: RouterBehindProxy, undisturbed: RunResult
) -> None:
    """Before each message of a transaction, COMMIT included."""
    kinds = {"premium.ticket.accepted.v1", "accept", "decline", "say", "time"}
    every = EveryMessage(router.proxy, ["cut"], kinds)
    router.steps.before_try = every.before_try
    assert await router.run() == undisturbed
    assert every.injected.keys() == kinds
    assert min(every.injected.values()) > MESSAGES_MIN


async def test_each_statement_meets_a_deadlock_and_a_serialization_failure(
    router: RouterBehindProxy, undisturbed: RunResult
) -> None:
    """Each statement of each kind of transaction fails with 40P01, and again with 40001."""
    every = EveryMessage(router.proxy, ["40P01", "40001"])
    router.steps.before_try = every.before_try
    assert await router.run() == undisturbed
    assert len(every.injected) >= KINDS_MIN
    assert min(every.injected.values()) > MESSAGES_MIN


async def test_each_commit_succeeds_and_its_response_is_lost(
    router: RouterBehindProxy, undisturbed: RunResult
) -> None:
    """Commands, events and sweeps are repeated: one effect, and the same response."""
    lost: Counter[str] = Counter()

    async def choose(kind: str, tries: int) -> None:
        router.proxy.stop_faults()
        if tries == 0 and lost[kind] < EACH:
            lost[kind] += 1
            router.proxy.choose_fault = lose

    def lose(message: Message) -> Fault:
        return "answer lost" if message.is_commit else "pass"

    router.steps.before_try = choose
    assert await router.run() == undisturbed
    assert len(lost) >= KINDS_MIN


async def test_backends_are_terminated_again_and_again(
    router: RouterBehindProxy, undisturbed: RunResult
) -> None:
    """An administrator ends router's connections after every MUCH messages."""
    count_of_messages, enough, is_over, terminated = 0, asyncio.Event(), False, 0

    def count(_: Message) -> Fault:
        nonlocal count_of_messages
        count_of_messages += 1
        if count_of_messages % MUCH == 0:
            enough.set()
        return "pass"

    async def terminate() -> None:
        nonlocal terminated
        while await enough.wait() and not is_over:
            enough.clear()
            terminated += await router.terminate()

    router.proxy.choose_fault = count
    async with asyncio.TaskGroup() as group:
        group.create_task(terminate())
        end = await router.run()
        is_over = True
        enough.set()
    assert end == undisturbed
    assert terminated >= TERMINATED_MIN


@pytest.mark.parametrize("off", ["enable_nestloop", "enable_indexscan", "enable_hashjoin"])
async def test_rows_come_in_another_order(
    router: RouterBehindProxy, undisturbed: RunResult, off: str
) -> None:
    """Other query plans return rows in another order, as after new statistics."""
    await router.administer(PLAN.format(router.fresh.roles[0], off))
    await router.terminate()  # it applies to new connections
    assert await router.run() == undisturbed


async def test_the_matching_lock_is_not_acquired_in_time(
    router: RouterBehindProxy, undisturbed: RunResult
) -> None:
    """Another session holds the lock: lock_timeout ends the wait, again and again."""
    await router.administer(LOCK_TIMEOUT.format(router.fresh.roles[0]))
    await router.terminate()  # it applies to new connections
    waits = 0
    async with router.observer.owner.session() as keeper:

        async def hold_lock(_: str, tries: int) -> None:
            nonlocal waits
            waits += tries > 0
            if tries == 0 and waits < WAITS_MIN:
                await keeper.execute(HOLD_LOCK)
            elif tries == TRIES:
                await keeper.execute(RELEASE_LOCK)

        router.steps.before_try = hold_lock
        assert await router.run() == undisturbed
    await router.administer(LOCK_TIMEOUT_AGAIN.format(router.fresh.roles[0]))
    assert waits >= WAITS_MIN


async def test_the_server_refuses_connections(
    router: RouterBehindProxy, undisturbed: RunResult
) -> None:
    """The limit of connections is used up, until one is closed."""
    refused = 0

    async def crowd(_: str, tries: int) -> None:
        nonlocal refused
        refused += tries > 0
        if tries == 0 and refused < WAITS_MIN:
            await router.administer(CROWD.format(router.fresh.roles[0], 0))
            await router.terminate()
        elif tries == TRIES:
            await router.administer(CROWD.format(router.fresh.roles[0], -1))

    router.steps.before_try = crowd
    assert await router.run() == undisturbed
    assert refused >= WAITS_MIN


async def test_the_pool_is_exhausted(router: RouterBehindProxy, undisturbed: RunResult) -> None:
    """A crowd of tasks waits for router's two connections: each gets its turn."""

    async def crowd_in(_: str, __: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _n in range(CROWD_SIZE):
                group.create_task(read_time())

    async def read_time() -> None:
        with suppress(Transient):
            async with router.steps.db.transaction() as tx:
                await now(tx)

    router.steps.before_try = crowd_in
    assert await router.run() == undisturbed


async def test_the_server_is_killed_and_restarted(
    own_servers: OwnServers, undisturbed: RunResult
) -> None:
    """During a transaction: what was not committed is repeated."""
    fresh = await own_servers.databases.clone("router")
    async with router_behind_proxy(fresh, own_servers.stack.addresses.admin_dsn) as router:
        kills = 0

        async def choose(kind: str, tries: int) -> None:
            if tries == 0 and kind in {"accept", "decline"} and kills < KILLS:
                router.proxy.choose_fault = kill
            elif tries == 1:
                await own_servers.stack.start("postgres")

        def kill(message: Message) -> Fault:
            nonlocal kills
            if message.number == MESSAGE_NUMBER:
                router.proxy.stop_faults()
                own_servers.stack.kill("postgres")
                kills += 1
            return "pass"

        router.steps.before_try = choose
        assert await router.run() == undisturbed
        assert kills == KILLS
