"""Measures ours with millions of open clocks: steady load, one instant, kills."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Final

from lab.bench.due import seeding
from lab.bench.due.batch import Batch
from lab.bench.due.comparison import still_open
from lab.bench.due.exception import measure_exception
from lab.bench.due.idle_cost import POLLS, measure_idle, rows
from lab.bench.due.kills import cold_start, killed
from lab.bench.due.plan import Part, Plan
from lab.bench.due.sheet import Sheet, outcomes, single
from lab.bench.due.subjects import Ours
from lab.bench.due.trial import (
    at_once,
    insert_steady_load,
    outcome,
    pending,
    received,
    steady,
    trial,
)
from lab.bench.measures import pause
from lab.bench.report import percentile
from shared.basics.clock import elapsed_s

__all__ = ["ScaleBench"]

_FEW: Final = 30_000
_POLL_S: Final = 0.02
_OTHERS_HZ: Final = 100
_OTHERS_S: Final = 6
"""Other clocks, due while a hundred thousand are handled, which must not delay them."""


@dataclass(frozen=True, slots=True)
class ScaleBench:
    """The measurements of ours, and their sizes; ``report`` gets the progress."""

    ours: Ours
    plans: Mapping[Part, Plan]
    seed: int
    report: Callable[[str], None]

    async def run(self, parts: Collection[Part]) -> AsyncIterator[Sheet]:
        """Measure the parts in order, and return each when it is done."""
        async with self.ours.working():
            if Part.LOAD in parts:
                yield await self._weight(self.plans[Part.LOAD])
                yield await self._load(self.plans[Part.LOAD])
            if Part.INSTANT in parts:
                yield await self._instant(self.plans[Part.INSTANT])
            if Part.KILLS in parts:
                plan = self.plans[Part.KILLS]
                await self._open(plan.open)
                self.report(f"{plan.kills} kills under load")
                yield await killed(self.ours, plan, self.seed)
                self.report("Cold start")
                yield await cold_start(self.ours)
            if Part.EXCEPTION in parts:
                yield await measure_exception(self.ours, self.plans[Part.EXCEPTION], self.report)

    async def _weight(self, plan: Plan) -> Sheet:
        self.report("Idle, for the cost of open clocks")
        start = await measure_idle(self.ours)
        await self._open(min(_FEW, plan.open))
        few = await measure_idle(self.ours)
        await self._open(plan.open)
        many = await measure_idle(self.ours)
        return Sheet(title="Cost of open clocks", rows=rows(start, few, many))

    async def _load(self, plan: Plan) -> Sheet:
        title = f"Due to Kafka, {plan.rate_hz:g} due a second, {plan.open:,} open"
        self.report(title)
        found = await trial(self.ours, partial(steady, rate_hz=plan.rate_hz, count=plan.count))
        polls = [await seeding.poll_ms(self.ours.connection) for _ in range(POLLS)]
        poll = single("poll for due clocks, afterwards", "ms", median(polls))
        return Sheet(title=title, rows=(*outcomes({self.ours.name: [found]}), poll))

    async def _instant(self, plan: Plan) -> Sheet:
        title = f"{plan.at_once:,} due at one instant, {plan.open:,} open"
        await self._open(plan.open)
        self.report(title)
        async with pending(self.ours, partial(at_once, count=plan.at_once)) as waiting:
            others = await insert_steady_load(
                self.ours, waiting, rate_hz=_OTHERS_HZ, seconds=_OTHERS_S
            )
            claimed_s = await self._claimed_s(waiting.batch)
            found = outcome(await received(self.ours, waiting))
            meanwhile = outcome(await received(self.ours, others))
        return Sheet(
            title=title,
            rows=(
                single("until all are claimed in the database", "s", claimed_s),
                *outcomes({self.ours.name: [found]}),
                single("others due meanwhile, p50", "ms", percentile(meanwhile.lags_ms, 50)),
                single("others due meanwhile, p99", "ms", percentile(meanwhile.lags_ms, 99)),
            ),
        )

    async def _claimed_s(self, batch: Batch) -> float:
        """Return the seconds from the due time until every due clock is claimed."""
        await pause((batch.first - await self.ours.now()).total_seconds())
        late_s = (await self.ours.now() - batch.first).total_seconds()
        since_s = elapsed_s()
        while await seeding.is_any_due(self.ours.connection):
            await pause(_POLL_S)
        return elapsed_s(since_s) + late_s

    async def _open(self, wanted: int) -> None:
        """Insert open clocks until there are ``wanted``."""
        missing = wanted - await seeding.open_count(self.ours.connection)
        if missing > 0:
            self.report(f"{missing:,} clocks are inserted")
            await self.ours.prepare(still_open(await self.ours.now(), missing))
