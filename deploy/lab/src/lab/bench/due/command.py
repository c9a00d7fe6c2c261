"""`premium bench-due`: how late due clocks are published, by ours and by peers."""

import logging
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console

from devstack.console import ConsoleReporter
from devstack.stack import Stack
from lab.bench.due.comparison import compared
from lab.bench.due.plan import PLANS, Part, Plan
from lab.bench.due.scale import ScaleBench
from lab.bench.due.sheet import DueReport, Sheet
from lab.bench.due.subjects import MONITOR, ours, peers
from lab.bench.due.trial import Subject
from lab.bench.environment import environment, where
from lab.bench.report import write
from lab.own_stack import own_stack
from premium.errors import CommandError
from premium.interrupt import run
from shared.basics.errors import Transient

__all__ = ["bench_due"]


def bench_due(  # noqa: PLR0913 - a command's options are its arguments
    parts: Annotated[
        list[Part] | None, typer.Argument(help="What to measure; everything by default.")
    ] = None,
    *,
    opened: Annotated[
        int | None, typer.Option("--open", min=0, help="Number of open clocks.")
    ] = None,
    rate: Annotated[float | None, typer.Option(min=1, help="Clocks due a second.")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="Duration of that rate.")] = None,
    at_once: Annotated[int | None, typer.Option(min=1, help="Clocks due at one instant.")] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Repeats for each peer.")] = None,
    kills: Annotated[int | None, typer.Option(min=1, help="Number of kill -9.")] = None,
    seed: Annotated[int, typer.Option(help="Seed for the times of the kills.")] = 1,
    instances: Annotated[
        int, typer.Option(min=1, help="Number of sla-monitors that share the work.")
    ] = 1,
    report: Annotated[
        Path | None, typer.Option(help="Write every value to this file, as JSON.")
    ] = None,
) -> None:
    """Measure how late due clocks reach Kafka: ours and peers, under load, under kill -9.

    An own stack with new data is started and removed.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    options = {
        "open": opened,
        "rate_hz": rate,
        "seconds": seconds,
        "at_once": at_once,
        "repeats": repeats,
        "kills": kills,
    }
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    plans = {part: replace(plan, **given) for part, plan in PLANS.items()}
    try:
        found = run(_measured(Console(), parts or list(Part), plans, seed, instances))
    except Transient as e:
        raise CommandError(f"{e}; is the machine short of memory or disk?") from e
    if report is not None:
        write(report, found)


async def _measured(
    console: Console,
    parts: Collection[Part],
    plans: Mapping[Part, Plan],
    seed: int,
    instances: int,
) -> DueReport:
    reporter = ConsoleReporter(console)
    sheets = []
    async with own_stack("bench", reporter, [MONITOR]) as stack:
        described = environment(state.title for state in await stack.states() if state.pid)
        console.print(where(described))
        async for sheet in _sheets(stack, reporter, parts, plans, seed=seed, instances=instances):
            console.print(sheet.table())
            sheets.append(sheet)
    return DueReport(environment=described, sheets=tuple(sheets))


async def _sheets(  # noqa: PLR0913 - what is measured, where, and how much of it
    stack: Stack,
    reporter: ConsoleReporter,
    parts: Collection[Part],
    plans: Mapping[Part, Plan],
    *,
    seed: int,
    instances: int,
) -> AsyncIterator[Sheet]:
    async with ours(stack, instances=instances) as running:
        await running.stack.stop(MONITOR)
        if Part.PEERS in parts:
            async with peers(stack.addresses, stack.folder / "logs") as others:
                subjects: tuple[Subject, ...] = (*others.values(), running)
                async for sheet in compared(subjects, plans[Part.PEERS], reporter.line):
                    yield sheet
            await running.clear()
        async for sheet in ScaleBench(running, plans, seed, reporter.line).run(parts):
            yield sheet
