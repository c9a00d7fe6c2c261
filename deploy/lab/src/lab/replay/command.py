"""`premium replay FILE --mapping MAP`: send an event log through a stack, verify the result."""

import logging
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import structlog
import typer
from rich.console import Console

from devstack.console import ConsoleReporter
from lab.own_stack import stack_for
from lab.replay.log import Log, read_log
from lab.replay.mapping import find_mapping, parse
from lab.replay.memory import MemoryWatch
from lab.replay.progress import shown
from lab.replay.reader import LogUnreadable
from lab.replay.report import Report, listed
from lab.replay.runner import Stuck
from lab.replay.session import session
from premium.errors import CommandError
from premium.interrupt import run
from shared.basics.errors import Transient
from shared.basics.yaml_source import Refused

__all__ = ["replay"]

_NOT_WHOLE: Final = 1


def replay(  # noqa: PLR0913 - a command's options are its arguments
    file: Annotated[Path, typer.Argument(help="an event log: CSV or JSON lines, gz or not")],
    mapping: Annotated[
        str, typer.Option(help="how to read it: a YAML file, or servicenow, or volvo")
    ],
    speed: Annotated[
        float, typer.Option(min=0, help="times as fast as the log; 0: as fast as possible")
    ] = 0,
    tickets: Annotated[int | None, typer.Option(min=1, help="the first N tickets only")] = None,
    report: Annotated[
        Path | None, typer.Option(help="write the report to this file, as JSON")
    ] = None,
    *,
    sort: Annotated[bool, typer.Option("--sort", help="sort rows by their time")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only read the log, and list every fault")
    ] = False,
    here: Annotated[
        bool, typer.Option("--here", help="replay to the stack in PREMIUM_HOME, if it is empty")
    ] = False,
) -> None:
    """Replay FILE through an own stack, and verify that nothing was lost or doubled."""
    console = Console(stderr=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if report is not None and not dry_run:
        _write(report, "")  # so that a file that cannot be written fails before the work
    try:
        with console.status("reading the log"):
            log = read_log(file, parse(find_mapping(mapping)), tickets_max=tickets, sort=sort)
        if dry_run:
            _print_log(console, log)
            return
        run(_replay(console, log, mapping, speed, report, here=here))
    except (Refused, LogUnreadable, Stuck, Transient) as e:
        raise CommandError(str(e)) from e


def _print_log(console: Console, log: Log) -> None:
    """Print what would be sent, and every fault of a row. Exit with 1 if there is any."""
    show = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    show(f"{log.file.name}: {log.counted}")
    show(f"would be sent: {listed(log.sent)}")
    for line in log.refusals:
        show(line)
    if log.refused:
        raise typer.Exit(_NOT_WHOLE)


async def _replay(  # noqa: PLR0913 - as above
    console: Console, log: Log, mapping: str, speed: float, place: Path | None, *, here: bool
) -> None:
    async with stack_for("replay", ConsoleReporter(console), here=here) as stack:
        async with session(stack.addresses, MemoryWatch(stack.folder / "run")) as open_session:
            with shown(console, log.file.name, len(log.documents)) as advance:
                found = await open_session.run(log, mapping=mapping, speed=speed, advance=advance)
        _print_report(console, found, place)


def _print_report(console: Console, found: Report, place: Path | None) -> None:
    if place is not None:
        _write(place, found.model_dump_json(indent=2) + "\n")
    console.print(found.table())
    if not found.is_whole:
        raise typer.Exit(_NOT_WHOLE)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as e:
        raise CommandError(f"{file}: {e.strerror}; choose another place with --report") from e
