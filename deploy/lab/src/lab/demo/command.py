"""`premium demo`: a believable day of premium requests through the running system, live."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Annotated, Final

import structlog
import typer
from rich.console import Console
from rich.table import Table

from devstack.console import ConsoleReporter
from devstack.stack import Stack
from lab.demo.audit import Finding
from lab.demo.links import kept_links
from lab.demo.screen import screen_on
from lab.demo.script import roster
from lab.demo.theatre import Plan, theatre
from lab.own_stack import refuse_others, stack_for
from premium.errors import CommandError
from premium.interrupt import run, termination_signals
from shared.basics.clock import elapsed_s
from shared.basics.errors import Transient
from shared.web.visitors import Person

__all__ = ["demo"]

_DAY_S: Final = 180.0
_DAY_ONCE_S: Final = 38.0
_DAY_S_MIN: Final = 20.0
_FAULTS_SHOWN_MAX: Final = 20
_GUEST: Final = "mara.kowalski"
_LEAD: Final = Person("nora.lindqvist", lead=True)
_NOT_WHOLE: Final = 1
_INTERRUPTED: Final = 130


def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="One day, then the proof.")] = False,
    day: Annotated[
        float | None,
        typer.Option(
            min=_DAY_S_MIN, help="Seconds that a day lasts.", show_default="180; with --once 38"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another day.")] = 7,
    desk: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPECIALIST",
            help="Leave this specialist's desk to a person, at the inbox. May be repeated.",
        ),
    ] = None,
    here: Annotated[
        bool,
        typer.Option(
            "--here", help="Play on the stack in PREMIUM_HOME, if all its tickets are the demo's."
        ),
    ] = False,
) -> None:
    """Play a believable day of premium requests through a stack of its own, live.

    Days follow each other until Ctrl-C. With --once it is one day, and then it is proven from
    Kafka and PostgreSQL that nothing was lost or doubled. Desks left to people are answered at by
    nobody else; with --once the day is over when those are empty, too.
    """
    desks = _desks(desk or ())
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    lasts_s = day or (_DAY_ONCE_S if once else _DAY_S)
    plan = Plan(seed=seed, day_s=lasts_s, once=once, desks=desks)
    console = Console()
    try:
        if run(_staged(console, plan, here=here)):
            return
    except Transient as e:
        raise CommandError(f"{e}; see `premium status`") from e
    console.print("Stopped: open requests are closed, business time is real time again.")
    raise typer.Exit(_INTERRUPTED if once else 0)


def _desks(named: Sequence[str]) -> frozenset[str]:
    unknown = set(named) - {specialist.specialist_id for specialist in roster()}
    if unknown:
        raise typer.BadParameter(
            f"nobody called {', '.join(sorted(unknown))} is on the example roster",
            param_hint="--desk",
        )
    return frozenset(named)


async def _staged(console: Console, plan: Plan, *, here: bool) -> bool:
    """Play to the end, and say what came of it; False when it was broken off."""
    started = elapsed_s()
    async with stack_for("demo", ConsoleReporter(console), here=here) as stack:
        findings = await _play(console, stack, plan)
        if findings is not None:
            _conclude(console, findings, started)
    return findings is not None


async def _play(console: Console, stack: Stack, plan: Plan) -> Sequence[Finding] | None:
    guests = [Person(name, lead=False) for name in sorted(plan.desks) or (_GUEST,)]
    links_kept = kept_links(stack.profile, (*guests, _LEAD))
    async with theatre(stack.addresses) as stage, links_kept as links:
        await refuse_others(stage.tables)
        labelled = [f"{_label(person)}: {link}" for person, link in links.items()]
        console.print("The inbox, for as long as it plays, for", highlight=False)
        console.print(*labelled, sep="\n", highlight=False, soft_wrap=True)
        for number in termination_signals():
            asyncio.get_running_loop().add_signal_handler(number, stage.stop.set)
        return await stage.play(plan, screen_on(console, labelled))


def _label(person: Person) -> str:
    names = {one.specialist_id: one.name for one in roster()}
    return f"{names[person.name]}, {'lead' if person.lead else 'specialist'}"


def _conclude(console: Console, findings: Sequence[Finding], started: float) -> None:
    console.print(_summary(findings))
    faults = [f"{finding.what}: {fault}" for finding in findings for fault in finding.faults]
    for fault in faults[:_FAULTS_SHOWN_MAX]:
        console.print(f"✖ {fault}", highlight=False, markup=False)
    console.print(_conclusion(len(faults), elapsed_s(started)), highlight=False)
    if faults:
        raise typer.Exit(_NOT_WHOLE)


def _summary(findings: Sequence[Finding]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("What", "Number", "What became of them", ""):
        table.add_column(name, justify="right" if name == "Number" else "left")
    for finding in findings:
        mark = f"[red]✖ {len(finding.faults)} wrong[/]" if finding.faults else "[green]✔[/]"
        table.add_row(finding.what, finding.number, finding.found, mark)
    return table


def _conclusion(faults: int, seconds: float) -> str:
    if faults > _FAULTS_SHOWN_MAX:
        return f"[red]{faults} faults in all[/]; {seconds:.0f} s"
    if faults:
        return f"[red]Not as it must be[/]; {seconds:.0f} s"
    return f"[green]Nothing lost, nothing doubled[/]; {seconds:.0f} s"
