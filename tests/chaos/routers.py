"""Several routers on one database: people act at random, routers are killed, nothing is broken.

    python -m tests.chaos.routers --routers 8 --seconds 600

starts a PostgreSQL, and so many processes that do what routers do; one after another is killed by
SIGKILL and started again. Meanwhile, and at the end, queries look for what must never be.
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

from tests.chaos.invariants import found_wrong, told_wrong
from tests.chaos.random_actions import Router, act_once, set_up

from devstack.stack import Stack
from router.sweep import Sweeper
from shared.basics.clock import elapsed_s, wait_at_most

BREATH_S: Final = (1, 4)
LOOK_EVERY: Final = 2
COUNTS: Final = """
    SELECT state || ' offers: ' || count(*) FROM offer GROUP BY state UNION ALL
    SELECT kind || ' acts: ' || count(*) FROM act GROUP BY kind UNION ALL
    SELECT 'facts told: ' || count(*) FROM outbox ORDER BY 1
"""


async def be_a_router(dsn: str, seed: int) -> None:
    """Act, and sweep, until killed."""
    random = Random(seed)  # noqa: S311 - a simulation
    db = Router(dsn)
    await db.start()
    await Sweeper(db, db.routing).start()
    _say("at work")
    while True:
        await act_once(db, random)


async def play(routers: int, seconds: float, seed: int) -> list[str]:
    """Kill and start again for so long; what was found wrong comes back."""
    random, kills = Random(seed), 0  # noqa: S311 - a simulation
    async with _database() as dsn:
        db = Router(dsn, connections_max=1)
        await db.start()
        await set_up(db)
        began = elapsed_s()
        working = [await _start(dsn, random) for _ in range(routers)]
        wrong: list[str] = []
        while elapsed_s(began) < seconds and not wrong:
            await wait_at_most(asyncio.Event().wait(), random.uniform(*BREATH_S))
            victim = working.pop(0)  # the one that has been at work for longest
            await _kill(victim)
            working.append(await _start(dsn, random))
            kills += 1
            wrong = await found_wrong(db) if kills % LOOK_EVERY == 0 else []
        for one in working:
            await _kill(one)
        wrong += [*await found_wrong(db), *await told_wrong(db)]
        async with db.session() as session:
            counts = [str(row[0]) for row in await session.fetch(COUNTS)]
        await db.stop()
    _say(f"{kills} kills of {routers} routers in {elapsed_s(began):.0f} s", *counts)
    return wrong


@asynccontextmanager
async def _database() -> AsyncIterator[str]:
    """Run a PostgreSQL with router's tables, and nobody at work on them."""
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
    """Kill a router that is at work. Raises RuntimeError when it ended by itself."""
    assert router.stdout is not None
    if not await router.stdout.readline():
        raise RuntimeError(f"a router ended by itself, with {await router.wait()}")
    router.send_signal(signal.SIGKILL)
    await router.wait()


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def main() -> int:
    """Play, or be one of the routers; 1 when something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.routers")
    parser.add_argument("--routers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dsn", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.dsn:
        asyncio.run(be_a_router(wanted.dsn, wanted.seed))
    wrong = asyncio.run(play(wanted.routers, wanted.seconds, wanted.seed))
    _say(*(wrong or ["nothing was wrong"]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
