"""`premium bench-infeasible`: how soon a change of the roster tells what nobody can keep now."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import structlog
import typer
from rich.console import Console

from devstack.console import ConsoleReporter
from lab.bench.environment import environment, where
from lab.bench.infeasible.trial import Heard, ground
from lab.bench.report import Figure, Report, Section, write
from lab.own_stack import own_stack
from premium.errors import CommandError
from premium.interrupt import run
from shared.basics.errors import Transient

__all__ = ["bench_infeasible"]

_MS: Final = 1000


def bench_infeasible(
    *,
    opened: Annotated[int, typer.Option("--open", min=10, help="Tickets that wait.")] = 50_000,
    affected: Annotated[int, typer.Option(min=1, help="Those of the language that goes.")] = 500,
    repeats: Annotated[int, typer.Option(min=1, help="Turns for the floor and for ours.")] = 5,
    report: Annotated[
        Path | None, typer.Option(help="Write every value to this file, as JSON.")
    ] = None,
) -> None:
    """Measure how soon it is told that nobody can keep a promise, when the last speaker leaves.

    The floor is one ticket more that is told to wait: the same way through Kafka, router and
    PostgreSQL. A stack of its own, with fresh data, is started and removed; about a minute.
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
        async with ground(stack, affected) as on:
            reporter.line(f"{opened:,} tickets")
            await on.fill(opened)
            floor, left, back = [], [], []
            for number in range(1, repeats + 1):
                reporter.line(f"Turn {number} of {repeats}")
                floor.append(await on.queued())
                left.append(await on.removed())
                back.append(await on.listed())
    section = Section(
        title=f"{opened:,} tickets wait, {affected:,} in the language of one specialist",
        figures=(
            *_figures("they leave: infeasible", floor, left, "≤ 1,000"),
            *_figures("they come back: feasible", floor, back, ""),
        ),
    )
    console.print(section.table())
    return Report(environment=described, sections=(section,))


def _figures(
    name: str, floor: Sequence[Heard], ours: Sequence[Heard], goal: str
) -> tuple[Figure, Figure]:
    base = tuple(one.first_s * _MS for one in floor)
    first = tuple(one.first_s * _MS for one in ours)
    last = tuple(one.last_s * _MS for one in ours)
    return (
        Figure(name=f"{name}, first", unit="ms", floor=base, ours=first, goal=goal),
        Figure(name=f"{name}, last", unit="ms", floor=base, ours=last, goal=goal),
    )
