"""Runs each measurement on the baseline and on ours in turn, and makes figures of the results."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import median
from typing import Final

from lab.bench.measures import Burst, Subject, burst, due, latencies
from lab.bench.report import Figure, Section, percentile

__all__ = ["Bench"]

_TICKETS: Final = 5_000
_BURSTS: Final = 3
_REPEATS: Final = 5
_BUSY_HZ: Final = 50
_BUSY: Final = 250
_IDLE_HZ: Final = 4
_IDLE: Final = 24
_DUE_HZ: Final = 50
_DUE: Final = 200


@dataclass(frozen=True, slots=True)
class _Pair[T]:
    """The values of the baseline and of ours, one per repeat."""

    baseline: Sequence[T]
    ours: Sequence[T]

    def each[V](self, read: Callable[[T], V]) -> "_Pair[V]":
        return _Pair([read(one) for one in self.baseline], [read(one) for one in self.ours])


@dataclass(frozen=True, slots=True)
class Bench:
    """The two compared systems; ``report`` gets the progress."""

    baseline: Subject
    ours: Subject
    report: Callable[[str], None]

    async def run(self) -> AsyncIterator[Section]:
        """Measure everything, and return each part when it is done."""
        for section in await self._sustained():
            yield section
        yield await self._latency(f"at {_BUSY_HZ} a second", _BUSY_HZ, _BUSY)
        yield await self._latency(f"idle, {_IDLE_HZ} a second", _IDLE_HZ, _IDLE, "≤ 20", "≤ 80")
        yield await self._due_to_breach()

    async def _sustained(self) -> tuple[Section, Section]:
        title = f"{_TICKETS:,} tickets at once on inbound.v1"
        found = await self._in_turn(title, _BURSTS, lambda subject: burst(subject, _TICKETS))
        planned = found.each(lambda b: b.tickets / b.planned_s)
        rest = found.each(lambda b: b.tickets / b.rest_s)
        events = found.each(lambda b: b.records / b.rest_s)
        speed = (
            _figure("every delivery planned", "tickets/s", planned),
            _figure("all processed, mails sent", "tickets/s", rest),
            _figure("published until then", "events/s", events, "≥ 1,000"),
        )
        names = dict.fromkeys(name for b in (*found.ours, *found.baseline) for name in b.costs)
        costs = chain.from_iterable(_costs(name, found) for name in names)
        return (
            Section(title=f"{title} (the baseline sends no mails)", figures=speed),
            Section(title="Cost of a ticket by process", figures=tuple(costs)),
        )

    async def _latency(
        self, name: str, rate_hz: float, count: int, goal: str = "", goal_p99: str = ""
    ) -> Section:
        title = f"HTTP to assigned in Kafka, {name}"
        found = await self._in_turn(
            title, _REPEATS, lambda subject: latencies(subject, rate_hz=rate_hz, count=count)
        )
        figures = _percentiles(found, goal, goal_p99)
        return Section(title=f"{title} (the baseline has no HTTP)", figures=figures)

    async def _due_to_breach(self) -> Section:
        title = f"Due to breach in Kafka, {_DUE_HZ} a second"
        found = await self._in_turn(
            title, _REPEATS, lambda subject: due(subject, rate_hz=_DUE_HZ, count=_DUE)
        )
        lags = _percentiles(found.each(lambda one: one.lags_ms), "", "≤ 100")
        early = _figure("published before due", "breaches", found.each(lambda one: one.early), "0")
        return Section(title=title, figures=(*lags, early))

    async def _in_turn[T](
        self, title: str, repeats: int, measure: Callable[[Subject], Awaitable[T]]
    ) -> _Pair[T]:
        """Measure the baseline and ours in turn, so that disturbances affect both alike."""
        baseline, ours = [], []
        for number in range(1, repeats + 1):
            self.report(f"{title}: {number} of {repeats}")
            baseline.append(await measure(self.baseline))
            ours.append(await measure(self.ours))
        return _Pair(baseline, ours)


def _figure(name: str, unit: str, found: _Pair[float], goal: str = "") -> Figure:
    return Figure(
        name=name, unit=unit, baseline=tuple(found.baseline), ours=tuple(found.ours), goal=goal
    )


def _percentiles(found: _Pair[Sequence[float]], goal: str, goal_p99: str) -> tuple[Figure, ...]:
    """Return the median of each repeat; p99 and maximum of all repeats combined."""
    combined = _Pair([[*chain(*found.baseline)]], [[*chain(*found.ours)]])
    return (
        _figure("p50", "ms", found.each(median), goal),
        _figure("p99", "ms", combined.each(lambda values: percentile(values, 99)), goal_p99),
        _figure("greatest", "ms", combined.each(max)),
    )


def _costs(name: str, found: _Pair[Burst]) -> tuple[Figure, Figure]:
    with_cost = _Pair(
        *([b for b in side if name in b.costs] for side in (found.baseline, found.ours))
    )
    cpu = with_cost.each(lambda b: b.costs[name].cpu_s / b.tickets * 1000)
    rss = with_cost.each(lambda b: b.costs[name].rss_mib)
    return _figure(f"{name}, processor", "ms", cpu), _figure(f"{name}, memory", "MiB", rss)
