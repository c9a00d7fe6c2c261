"""`premium replay FILE --mapping MAP`: any event log through the running stack, and the proof."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Final, override

import structlog
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from premium.interrupt import run
from premium.replay.log import Log, read_log
from premium.replay.mapping import find_mapping, load
from premium.replay.memory import MemoryWatch
from premium.replay.play import Stuck
from premium.replay.reader import LogUnreadable
from premium.replay.report import Report
from premium.replay.session import session
from premium.settings import Settings
from premium.stack import Stack, StackError
from shared import settings
from shared.errors import Transient
from shared.places import Refused

__all__ = ["replay"]

_NOT_WHOLE: Final = 1


class _Rate(ProgressColumn):
    """Documents a second, over the last steps."""

    @override
    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:,.0f}/s")


def replay(
    file: Annotated[Path, typer.Argument(help="an event log: CSV or JSON lines, gz or not")],
    mapping: Annotated[
        str, typer.Option(help="how to read it: a YAML file, or one of servicenow, volvo")
    ],
    speed: Annotated[
        float, typer.Option(min=0, help="times as fast as the log went; 0: as fast as can be")
    ] = 0,
    tickets: Annotated[int | None, typer.Option(min=1, help="the first N tickets only")] = None,
    report: Annotated[Path | None, typer.Option(help="write the account there, as JSON")] = None,
) -> None:
    """Replay FILE through the running stack, and prove that nothing was lost or doubled."""
    console = Console(stderr=True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        if report is not None:
            _write(report, "")  # a place that cannot be written is said before the work
        read = partial(read_log, file, load(find_mapping(mapping)), tickets_max=tickets)
        found = run(_replay(console, read, mapping, speed))
    except (Refused, LogUnreadable, Stuck, Transient) as e:
        raise StackError(str(e)) from e
    if report is not None:
        _write(report, found.model_dump_json(indent=2) + "\n")
    console.print(found.table())
    if not found.is_whole:
        raise typer.Exit(_NOT_WHOLE)


async def _replay(console: Console, read: Callable[[], Log], mapping: str, speed: float) -> Report:
    home = settings.load(Settings).home
    stack = Stack.attach(home)
    for state in await stack.states():
        if state.reason is not None:
            raise StackError(f"{state.title}: {state.reason}; run `premium up`")
    with console.status("reading the log"):
        log = await asyncio.to_thread(read)
    async with session(stack.addresses, MemoryWatch(home.absolute() / "run")) as open_session:
        with _progress(console) as progress:
            bar = progress.add_task(log.file.name, total=len(log.told))
            return await open_session.run(
                log,
                mapping=mapping,
                speed=speed,
                advance=lambda count: progress.advance(bar, count),
            )


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("documents"),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
    )


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text)
    except OSError as e:
        raise StackError(f"{file}: {e.strerror}; choose another place with --report") from e
