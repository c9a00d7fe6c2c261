"""Kill -9 at random times of a replay of a real log leads to the same facts and final state."""

import asyncio
import os
from pathlib import Path
from random import Random
from typing import Final

import pytest

from devstack.stack import Stack
from lab.replay.log import Log, read_log
from lab.replay.mapping import find_mapping, load
from lab.replay.memory import MemoryWatch
from lab.replay.report import Report
from lab.replay.session import session

TICKETS: Final = 1200
VICTIMS: Final = ("intake", "router", "sla-monitor", "notifier", "kafka", "postgres")
KILLS_EACH: Final = 2
PAUSE_S_MAX: Final = 0.5


@pytest.fixture(scope="session")
def log() -> Log:
    """Read the first tickets of the log."""
    folder = Path(os.environ.get("PREMIUM_DATA", Path(__file__).parents[3] / "shared/data"))
    file = folder / "servicenow_incidents.csv.gz"
    return read_log(file, load(find_mapping("servicenow")), tickets_max=TICKETS)


@pytest.fixture(scope="session")
def undisturbed(log: Log, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Replay it without kills."""
    return asyncio.run(replay(log, tmp_path_factory.mktemp("undisturbed"), victims=()))


async def replay(log: Log, home: Path, *, victims: tuple[str, ...], seed: int = 0) -> Report:
    """Replay through an own stack, and kill victims one after another meanwhile."""
    stack = Stack(home)
    addresses = await stack.up()
    try:
        async with (
            session(addresses, MemoryWatch(home / "run")) as open_session,
            asyncio.TaskGroup() as group,
        ):
            run = open_session.run(log, mapping="servicenow", speed=0, advance=lambda _: None)
            running = group.create_task(run)
            group.create_task(kill(stack, victims, Random(seed), running))  # noqa: S311 - a seed
        return running.result()
    finally:
        await stack.down(wipe=True)


async def kill(
    stack: Stack, victims: tuple[str, ...], random: Random, running: asyncio.Task[Report]
) -> None:
    """Kill and restart victims, with pauses, while the replay runs."""
    for victim in random.sample(victims, len(victims)):
        await asyncio.sleep(random.uniform(0, PAUSE_S_MAX))  # noqa: TID251 - at any moment
        assert not running.done(), "the replay was over before all were killed"
        stack.kill(victim)
        await stack.start(victim)


async def test_kills_change_no_result(
    log: Log, undisturbed: Report, tmp_path: Path, seed: int
) -> None:
    """Twelve kills of services and servers change neither the published facts nor the state."""
    report = await replay(log, tmp_path, victims=VICTIMS * KILLS_EACH, seed=seed)
    assert undisturbed.is_whole
    assert report.is_whole
    assert report.facts_digest == undisturbed.facts_digest
    assert report.state_digests == undisturbed.state_digests
