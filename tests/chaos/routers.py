"""Several routers on one database hold their invariants under random actions and kills.

    python -m tests.chaos.routers --routers 8 --seconds 600

starts a PostgreSQL and eight router processes; one after another is killed by SIGKILL and started
again. Meanwhile and at the end, the invariants are checked.
"""

import argparse
import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from tests.chaos.invariants import violations_in_facts, violations_in_tables
from tests.chaos.random_actions import Router, execute_random_action, prepare

from devstack.stack import Stack
from router.sweep import Sweeper
from shared.basics.clock import elapsed_s, wait_at_most

PAUSE_S: Final = (1, 4)
CHECK_EVERY: Final = 2
COUNTS: Final = """
    SELECT state || ' offers: ' || count(*) FROM offer GROUP BY state UNION ALL
    SELECT kind || ' actions: ' || count(*) FROM act GROUP BY kind UNION ALL
    SELECT 'facts ledger: ' || count(*) FROM outbox ORDER BY 1
"""


async def run_router(dsn: str, seed: int) -> None:
    """Execute random actions, and sweep, until killed."""
    random = Random(seed)  # noqa: S311 - a simulation
    db = Router(dsn)
    await db.start()
    await Sweeper(db, db.routing).start()
    _print("at work")
    while True:
        await execute_random_action(db, random)


async def run_chaos(routers: int, seconds: float, seed: int) -> list[str]:
    """Kill and restart routers for ``seconds``; return the violations."""
    random, kills = Random(seed), 0  # noqa: S311 - a simulation
    async with _database() as dsn:
        db = Router(dsn, connections_max=1)
        await db.start()
        await prepare(db)
        began = elapsed_s()
        working = [await _start(dsn, random) for _ in range(routers)]
        violations: list[str] = []
        while elapsed_s(began) < seconds and not violations:
            await wait_at_most(asyncio.Event().wait(), random.uniform(*PAUSE_S))
            victim = working.pop(0)  # the oldest process
            await _kill(victim)
            working.append(await _start(dsn, random))
            kills += 1
            violations = await violations_in_tables(db) if kills % CHECK_EVERY == 0 else []
        for one in working:
            await _kill(one)
        violations += [*await violations_in_tables(db), *await violations_in_facts(db)]
        async with db.session() as session:
            counts = [str(row[0]) for row in await session.fetch(COUNTS)]
        await db.stop()
    _print(f"{kills} kills of {routers} routers in {elapsed_s(began):.0f} s", *counts)
    return violations


@asynccontextmanager
async def _database() -> AsyncIterator[str]:
    """Run a PostgreSQL with router's tables, without a router."""
    with TemporaryDirectory() as home:
        stack = Stack(Path(home))
        addresses = await stack.up(services=["router"])
        try:
            await stack.stop("router")
            yield addresses.dsn("router")
        finally:
            await stack.down(wipe=True)


async def _start(dsn: str, random: Random) -> Process:
    seed = str(random.getrandbits(32))
    return await create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos.routers", "--dsn", dsn, "--seed", seed), stdout=PIPE
    )


async def _kill(router: Process) -> None:
    """Kill a working router. Raises RuntimeError if it ended by itself."""
    assert router.stdout is not None
    if not await router.stdout.readline():
        raise RuntimeError(f"a router ended by itself, with {await router.wait()}")
    router.send_signal(signal.SIGKILL)
    await router.wait()


def _print(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main() -> int:
    """Run the test, or one of its routers; return 1 if there are violations."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.routers")
    parser.add_argument("--routers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dsn", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.dsn:
        asyncio.run(run_router(wanted.dsn, wanted.seed))
    violations = asyncio.run(run_chaos(wanted.routers, wanted.seconds, wanted.seed))
    _print(*(violations or ["no violation"]))
    return int(bool(violations))


if __name__ == "__main__":
    sys.exit(main())
