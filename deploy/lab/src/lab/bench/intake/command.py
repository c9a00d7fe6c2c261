"""`premium bench-intake`: how many get in, and how soon each is told, beside a bare transaction."""

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
from lab.bench.intake.trial import Ground, Trial, ground
from lab.bench.report import Report, Section, write
from lab.own_stack import own_stack
from premium.errors import CommandError
from premium.interrupt import run
from shared.basics.errors import Transient

__all__ = ["Part", "bench_intake"]

_TOGETHER: Final = 100
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
    count: Annotated[int, typer.Option(min=100, help="Requests in each turn.")] = 3_000,
    connections: Annotated[int, typer.Option(min=1, max=150, help="Kept open.")] = 64,
    repeats: Annotated[int, typer.Option(min=1, help="Turns for the floor and for ours.")] = 2,
    records: Annotated[int, typer.Option(min=100, help="Backlog on inbound.v1.")] = 40_000,
    report: Annotated[
        Path | None, typer.Option(help="Write every value to this file, as JSON.")
    ] = None,
) -> None:
    """Measure intake's doors beside a bare transaction of three statements, in the same run.

    A stack of its own, with fresh data, is started and removed; about a minute and a half.
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
        async with ground(stack) as on:
            await on.order("door", _WARM, plan.connections)
            async for section in _sections(on, parts, plan, reporter.line):
                console.print(section.table())
                sections.append(section)
    return Report(environment=described, sections=tuple(sections))


async def _sections(
    on: Ground, parts: Collection[Part], plan: _Plan, say: Callable[[str], None]
) -> AsyncIterator[Section]:
    if Part.TICKETS in parts:
        floor, ours = await _turns(on, plan, None, say)
        untagged = await on.order("door", plan.count, plan.connections, language=None)
        yield figures.saturated(floor, ours, untagged, plan.connections)
        half_hz = median(trial.rate_hz for trial in ours) / 2
        yield figures.at_half(*await _turns(on, plan, half_hz, say), half_hz)
    if Part.BATCH in parts:
        say("Batches")
        batches = [
            await on.order("door", _BATCH_TICKETS, _BATCH_CONNECTIONS, together=_TOGETHER)
            for _ in range(plan.repeats)
        ]
        yield figures.batches(batches, _TOGETHER)
    if Part.INBOUND in parts:
        say("A backlog")
        yield figures.inbound(await on.backlog(plan.records))


async def _turns(
    on: Ground, plan: _Plan, rate_hz: float | None, say: Callable[[str], None]
) -> tuple[list[Trial], list[Trial]]:
    """Alternate, so that what else the machine does falls on both."""
    floor, ours = [], []
    pace = "saturated" if rate_hz is None else f"{rate_hz:,.0f} a second"
    for number in range(1, plan.repeats + 1):
        say(f"POST /v1/tickets, {pace}: {number} of {plan.repeats}")
        floor.append(await on.order("floor", plan.count, plan.connections, rate_hz=rate_hz))
        ours.append(await on.order("door", plan.count, plan.connections, rate_hz=rate_hz))
    return floor, ours
