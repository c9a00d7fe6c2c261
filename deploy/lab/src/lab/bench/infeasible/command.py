"""`premium bench-infeasible`: how soon a change of the roster makes promises infeasible."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import structlog
import typer
from rich.console import Console

from devstack.console import ConsoleReporter
from lab.bench.environment import environment, where
from lab.bench.infeasible.trial import Received, testbed
from lab.bench.report import Figure, Report, Section, write
from lab.own_stack import own_stack
from premium.errors import CommandError
from premium.interrupt import run
from shared.basics.errors import Transient

__all__ = ["bench_infeasible"]

_MS: Final = 1000


def bench_infeasible(
    *,
    opened: Annotated[
        int, typer.Option("--open", min=10, help="Number of waiting tickets.")
    ] = 50_000,
    affected: Annotated[int, typer.Option(min=1, help="Tickets of that language.")] = 500,
    repeats: Annotated[int, typer.Option(min=1, help="Repeats of the baseline and of ours.")] = 5,
    report: Annotated[
        Path | None, typer.Option(help="Write every value to this file, as JSON.")
    ] = None,
) -> None:
    """Measure how soon promises are published as infeasible when a language loses its last speaker.

    The baseline is one more ticket that must wait: the same path through Kafka, router and
    PostgreSQL. An own stack with new data is started and removed; takes about a minute.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if affected > opened:
        raise CommandError(f"{affected} are affected and {opened} wait; raise --open")
    try:
        found = run(_measured(Console(), opened, affected, repeats))
    except Transient as e:
        raise CommandError(f"{e}; is the machine short of memory or disk?") from e
    if report is not None:
        write(report, found)


async def _measured(console: Console, opened: int, affected: int, repeats: int) -> Report:
    reporter = ConsoleReporter(console)
    async with own_stack("bench", reporter, ["router"]) as stack:
        described = environment(state.title for state in await stack.states() if state.pid)
        console.print(where(described))
        async with testbed(stack, affected) as bed:
            reporter.line(f"{opened:,} tickets")
            await bed.fill(opened)
            baseline, left, back = [], [], []
            for number in range(1, repeats + 1):
                reporter.line(f"Turn {number} of {repeats}")
                baseline.append(await bed.queued())
                left.append(await bed.removed())
                back.append(await bed.listed())
    section = Section(
        title=f"{opened:,} tickets wait, {affected:,} in the language of one specialist",
        figures=(
            *_figures("specialist removed: infeasible", baseline, left, "≤ 1,000"),
            *_figures("specialist listed again: feasible", baseline, back, ""),
        ),
    )
    console.print(section.table())
    return Report(environment=described, sections=(section,))


def _figures(
    name: str, baseline: Sequence[Received], ours: Sequence[Received], goal: str
) -> tuple[Figure, Figure]:
    base = tuple(one.first_s * _MS for one in baseline)
    first = tuple(one.first_s * _MS for one in ours)
    last = tuple(one.last_s * _MS for one in ours)
    return (
        Figure(name=f"{name}, first", unit="ms", baseline=base, ours=first, goal=goal),
        Figure(name=f"{name}, last", unit="ms", baseline=base, ours=last, goal=goal),
    )
