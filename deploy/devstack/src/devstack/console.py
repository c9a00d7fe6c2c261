"""Shows people what the stack does, on a terminal or in a log."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from devstack.reporting import Advance

__all__ = ["Shown"]


class Shown:
    """Tells by lines, and shows downloads by a bar."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, line: str) -> None:
        """Print it."""
        self._console.print(line, highlight=False, markup=False)

    @contextmanager
    def fetching(self, what: str, size_bytes: int) -> Iterator[Advance]:
        """Show how far it is; where there is no terminal, only that it began."""
        self.say(f"Fetching {what}")
        if not self._console.is_terminal:
            yield lambda _: None
            return
        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(TextColumn(" "), *columns, console=self._console, transient=True) as bar:
            task = bar.add_task("", total=size_bytes)
            yield lambda came_bytes: bar.advance(task, came_bytes)
