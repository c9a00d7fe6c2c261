"""`premium bench-intake`: throughput and latency of intake, and of a bare transaction."""

import logging
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import structlog
import typer
from rich.console import Console

from devstack.console import ConsoleReporter
from lab.bench.environment import environment, where
from lab.bench.intake import figures
from lab.bench.intake.trial import Testbed, Trial, testbed
from lab.bench.report import Report, Section, write
from lab.own_stack import own_stack
from premium.errors import CommandError
from premium.interrupt import run
from shared.basics.errors import Transient

__all__ = ["Part", "bench_intake"]

_PER_REQUEST: Final = 100
_BATCH_CONNECTIONS: Final = 4
_BATCH_TICKETS: Final = 10_000
_WARM: Final = 1_000


class Part(StrEnum):
    """What can be measured."""

    TICKETS = "tickets"
    BATCH = "batch"
    INBOUND = "inbound"


@dataclass(frozen=True, slots=True)
class _Plan:
    count: int
    connections: int
    repeats: int
    records: int


def bench_intake(  # noqa: PLR0913 - a command's options are its arguments
    parts: Annotated[
        list[Part] | None, typer.Argument(help="What to measure; everything by default.")
    ] = None,
    *,
    count: Annotated[int, typer.Option(min=100, help="Requests in each repeat.")] = 3_000,
    connections: Annotated[int, typer.Option(min=1, max=150, help="Open connections.")] = 64,
    repeats: Annotated[int, typer.Option(min=1, help="Repeats of the baseline and of ours.")] = 2,
    records: Annotated[int, typer.Option(min=100, help="Backlog on inbound.v1.")] = 40_000,
    report: Annotated[
        Path | None, typer.Option(help="Write every value to this file, as JSON.")
    ] = None,
) -> None:
    """Measure intake's HTTP API and topic, and a bare transaction of three statements.

    An own stack with new data is started and removed; takes about a minute and a half.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    plan = _Plan(count, connections, repeats, records)
    try:
        found = run(_measured(Console(), parts or list(Part), plan))
    except Transient as e:
        raise CommandError(f"{e}; is the machine short of memory or disk?") from e
    if report is not None:
        write(report, found)


async def _measured(console: Console, parts: Collection[Part], plan: _Plan) -> Report:
    reporter = ConsoleReporter(console)
    async with own_stack("bench", reporter, ["intake"]) as stack:
        described = environment(state.title for state in await stack.states() if state.pid)
        console.print(where(described))
        sections = []
        async with testbed(stack) as bed:
            await bed.measure("intake", _WARM, plan.connections)
            async for section in _sections(bed, parts, plan, reporter.line):
                console.print(section.table())
                sections.append(section)
    return Report(environment=described, sections=tuple(sections))


async def _sections(
    bed: Testbed, parts: Collection[Part], plan: _Plan, report: Callable[[str], None]
) -> AsyncIterator[Section]:
    if Part.TICKETS in parts:
        baseline, ours = await _turns(bed, plan, None, report)
        untagged = await bed.measure("intake", plan.count, plan.connections, language=None)
        yield figures.saturated(baseline, ours, untagged, plan.connections)
        half_hz = median(trial.rate_hz for trial in ours) / 2
        yield figures.at_half(*await _turns(bed, plan, half_hz, report), half_hz)
    if Part.BATCH in parts:
        report("Batches")
        batches = [
            await bed.measure(
                "intake", _BATCH_TICKETS, _BATCH_CONNECTIONS, per_request=_PER_REQUEST
            )
            for _ in range(plan.repeats)
        ]
        yield figures.batches(batches, _PER_REQUEST)
    if Part.INBOUND in parts:
        report("A backlog")
        yield figures.inbound(await bed.backlog(plan.records))


async def _turns(
    bed: Testbed, plan: _Plan, rate_hz: float | None, report: Callable[[str], None]
) -> tuple[list[Trial], list[Trial]]:
    """Measure the baseline and intake in turn, so that disturbances affect both alike."""
    baseline, ours = [], []
    rate = "saturated" if rate_hz is None else f"{rate_hz:,.0f} a second"
    for number in range(1, plan.repeats + 1):
        report(f"POST /v1/tickets, {rate}: {number} of {plan.repeats}")
        baseline.append(
            await bed.measure("baseline", plan.count, plan.connections, rate_hz=rate_hz)
        )
        ours.append(await bed.measure("intake", plan.count, plan.connections, rate_hz=rate_hz))
    return baseline, ours
