"""`premium demo`: a realistic day of premium requests on the running system, live."""

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
from lab.demo.content import roster
from lab.demo.links import kept_links
from lab.demo.runner import Plan, demo_runner
from lab.demo.screen import screen_on
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
_SPECIALIST: Final = "mara.kowalski"
_LEAD: Final = Person("nora.lindqvist", lead=True)
_NOT_WHOLE: Final = 1
_INTERRUPTED: Final = 130


def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Run one day, then prove the result.")
    ] = False,
    day: Annotated[
        float | None,
        typer.Option(min=_DAY_S_MIN, help="Seconds per day.", show_default="180; with --once 38"),
    ] = None,
    seed: Annotated[int, typer.Option(help="The seed of the random day.")] = 7,
    desk: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPECIALIST",
            help="Leave this specialist to a person, who works in the inbox; repeatable.",
        ),
    ] = None,
    here: Annotated[
        bool,
        typer.Option(
            "--here", help="Use the stack in PREMIUM_HOME, if all its tickets are the demo's."
        ),
    ] = False,
) -> None:
    """Run a realistic day of premium requests on an own stack, live.

    Days repeat until Ctrl-C. With --once, one day runs, and then Kafka and PostgreSQL are checked:
    nothing may be lost or doubled. The tickets of specialists left to people (--desk) are not
    answered by the demo; with --once the day ends when these are done, too.
    """
    desks = _desks(desk or ())
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    lasts_s = day or (_DAY_ONCE_S if once else _DAY_S)
    plan = Plan(seed=seed, day_s=lasts_s, once=once, desks=desks)
    console = Console()
    try:
        if run(_run_demo(console, plan, here=here)):
            return
    except Transient as e:
        raise CommandError(f"{e}; see `premium status`") from e
    console.print("Stopped: open requests are closed, business time is real time again.")
    raise typer.Exit(_INTERRUPTED if once else 0)


def _desks(named: Sequence[str]) -> frozenset[str]:
    unknown = set(named) - {specialist.specialist_id for specialist in roster()}
    if unknown:
        raise typer.BadParameter(
            f"{', '.join(sorted(unknown))} is not on the example roster",
            param_hint="--desk",
        )
    return frozenset(named)


async def _run_demo(console: Console, plan: Plan, *, here: bool) -> bool:
    """Run to the end, and print the findings; return False if it was stopped early."""
    started = elapsed_s()
    async with stack_for("demo", ConsoleReporter(console), here=here) as stack:
        findings = await _play(console, stack, plan)
        if findings is not None:
            _print_findings(console, findings, started)
    return findings is not None


async def _play(console: Console, stack: Stack, plan: Plan) -> Sequence[Finding] | None:
    people = [Person(name, lead=False) for name in sorted(plan.desks) or (_SPECIALIST,)]
    links_kept = kept_links(stack.profile, (*people, _LEAD))
    async with demo_runner(stack.addresses) as runner, links_kept as links:
        await refuse_others(runner.tables)
        labelled = [f"{_label(person)}: {link}" for person, link in links.items()]
        console.print("Links into the inbox, valid while the demo runs:", highlight=False)
        console.print(*labelled, sep="\n", highlight=False, soft_wrap=True)
        for number in termination_signals():
            asyncio.get_running_loop().add_signal_handler(number, runner.stop.set)
        return await runner.run(plan, screen_on(console, labelled))


def _label(person: Person) -> str:
    names = {one.specialist_id: one.name for one in roster()}
    return f"{names[person.name]}, {'lead' if person.lead else 'specialist'}"


def _print_findings(console: Console, findings: Sequence[Finding], started: float) -> None:
    console.print(_summary(findings))
    faults = [f"{finding.what}: {fault}" for finding in findings for fault in finding.faults]
    for fault in faults[:_FAULTS_SHOWN_MAX]:
        console.print(f"✖ {fault}", highlight=False, markup=False)
    console.print(_conclusion(len(faults), elapsed_s(started)), highlight=False)
    if faults:
        raise typer.Exit(_NOT_WHOLE)


def _summary(findings: Sequence[Finding]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("What", "Number", "Result", ""):
        table.add_column(name, justify="right" if name == "Number" else "left")
    for finding in findings:
        mark = f"[red]✖ {len(finding.faults)} wrong[/]" if finding.faults else "[green]✔[/]"
        table.add_row(finding.what, finding.number, finding.found, mark)
    return table


def _conclusion(faults: int, seconds: float) -> str:
    if faults > _FAULTS_SHOWN_MAX:
        return f"[red]{faults} faults in all[/]; {seconds:.0f} s"
    if faults:
        return f"[red]Wrong results[/]; {seconds:.0f} s"
    return f"[green]Nothing lost, nothing doubled[/]; {seconds:.0f} s"
