"""sla-monitor under `kill -9`, and after a cold start: lost, doubled and late events."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from lab.bench.due.plan import Plan
from lab.bench.due.sheet import Row, Sheet, outcomes, single
from lab.bench.due.subjects import MONITOR, Ours
from lab.bench.due.trial import after, at_once, outcome, pending, received, steady
from lab.bench.measures import pause
from shared.basics.clock import elapsed_s

__all__ = ["cold_start", "killed", "moments_s"]


@dataclass(frozen=True, slots=True)
class _Kill:
    at: datetime
    ready_s: float
    """Seconds until it was ready again; it is restarted at once."""


def moments_s(seed: int, kills: int, seconds: float) -> list[float]:
    """Draw a time for each kill, each within its own share of the duration."""
    drawn, share_s = random.Random(seed), seconds / kills  # noqa: S311 - a test, not a secret
    return [(number + drawn.random()) * share_s for number in range(kills)]


async def killed(ours: Ours, plan: Plan, seed: int) -> Sheet:
    """Kill sla-monitor repeatedly under load, and restart it at once each time."""
    load = partial(steady, rate_hz=plan.rate_hz, count=plan.count)
    async with pending(ours, load) as waiting:
        await pause((waiting.batch.first - await ours.now()).total_seconds())
        kills = await _kill(ours, moments_s(seed, plan.kills, plan.seconds))
        found = await received(ours, waiting)
    late_ms = [after(found, kill.at) for kill in kills]
    return Sheet(
        title=f"{plan.kills} times kill -9 under {plan.rate_hz:g} due a second, seed {seed}",
        rows=(
            single("next due event after a kill, late", "ms", *late_ms),
            single("start to ready after a kill", "s", *(kill.ready_s for kill in kills)),
            *outcomes({ours.name: [outcome(found)]}),
        ),
    )


async def cold_start(ours: Ours) -> Sheet:
    """Start sla-monitor when a clock is already due."""
    await ours.stack.stop(MONITOR)
    async with pending(ours, partial(at_once, count=1)) as waiting:
        await pause((waiting.batch.first - await ours.now()).total_seconds())
        since_s = elapsed_s()
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(_ready_s(ours))
            receiving = group.create_task(received(ours, waiting))
    arrivals = receiving.result().arrivals.values()
    first_s = next((arrival.received_s - since_s for arrival in arrivals), None)
    return Sheet(title="Cold start, a clock already due", rows=_cold(starting.result(), first_s))


def _cold(ready_s: float, first_s: float | None) -> tuple[Row, ...]:
    """Make the rows; the last is negative if the event was published before /ready answered."""
    wait_s = None if first_s is None else first_s - ready_s
    return (
        single("start to ready", "s", ready_s),
        single("start to first due event", "s", first_s),
        single("ready to first due event", "s", wait_s),
    )


async def _kill(ours: Ours, at_s: Sequence[float]) -> list[_Kill]:
    since_s = elapsed_s()
    kills = []
    for moment_s in at_s:
        await pause(moment_s - elapsed_s(since_s))
        ours.stack.kill(MONITOR)
        at = await ours.now()
        kills.append(_Kill(at, await _ready_s(ours)))
    return kills


async def _ready_s(ours: Ours) -> float:
    since_s = elapsed_s()
    await ours.stack.start(MONITOR)
    return elapsed_s(since_s)
