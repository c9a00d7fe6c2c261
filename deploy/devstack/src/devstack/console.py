"""Shows a stack's progress on a terminal or in a log."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from devstack.reporting import Advance

__all__ = ["ConsoleReporter"]


class ConsoleReporter:
    """Prints lines, and shows downloads as a progress bar."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, text: str) -> None:
        """Print the line."""
        self._console.print(text, highlight=False, markup=False)

    @contextmanager
    def fetching(self, what: str, size_bytes: int) -> Iterator[Advance]:
        """Show a progress bar; without a terminal, only print that the download began."""
        self.line(f"Downloading {what}")
        if not self._console.is_terminal:
            yield lambda _: None
            return
        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(TextColumn(" "), *columns, console=self._console, transient=True) as bar:
            task = bar.add_task("", total=size_bytes)
            yield lambda size: bar.advance(task, size)
