"""The progress of a replay: a bar on a terminal, else a line every ten seconds."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, override

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

from shared.basics.clock import elapsed_s

__all__ = ["shown"]

_LINE_EVERY_S: Final = 10.0


@contextmanager
def shown(console: Console, name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show progress during the block; call the yielded function with each number of items done."""
    if not console.is_terminal:
        yield _Lines(console, name, total).advance
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    rest = (TextColumn("documents"), _Rate(), TimeRemainingColumn())
    with Progress(*columns, *rest, console=console) as progress:
        bar = progress.add_task(name, total=total)
        yield lambda count: progress.advance(bar, count)


class _Lines:
    def __init__(self, console: Console, name: str, total: int) -> None:
        self._console = console
        self._name = name
        self._total = total
        self._done = 0
        self._print()

    def advance(self, count: int) -> None:
        """Count, and print a line if all are done, or the last line is ten seconds old."""
        self._done += count
        if self._done == self._total or elapsed_s(self._printed_at_s) > _LINE_EVERY_S:
            self._print()

    def _print(self) -> None:
        self._printed_at_s = elapsed_s()
        line = f"{self._name}: {self._done:,} of {self._total:,} documents"
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


class _Rate(ProgressColumn):
    """Documents per second, over the last steps."""

    @override
    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:,.0f}/s")
