"""Shows the demo: a full screen on a terminal, in a pipe a line every two hours of the day."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Final, Protocol, override

from rich.console import Console
from rich.live import Live

from lab.demo.state import DemoState
from lab.demo.view import DemoStatus, draw, summary_line

__all__ = ["Screen", "screen_on"]

_LINE_EVERY: Final = timedelta(hours=2)


class Screen(Protocol):
    """Shows the state of the demo during the block of `live`."""

    def live(self) -> AbstractContextManager[object]:
        """Return the block in which the screen is shown."""

    def show(self, state: DemoState, status: DemoStatus) -> None:
        """Show the present state."""


def screen_on(console: Console, links: Sequence[str]) -> Screen:
    """Return the screen for a console; ``links`` lead into the inbox."""
    return _Terminal(console, links) if console.is_terminal else _Lines(console)


_TALL: Final = 32


class _Terminal(Screen):
    def __init__(self, console: Console, links: Sequence[str]) -> None:
        self._console = console
        self._links = links
        self._live = Live(console=console, screen=True, auto_refresh=False)

    @override
    def live(self) -> AbstractContextManager[object]:
        return self._live

    @override
    def show(self, state: DemoState, status: DemoStatus) -> None:
        links = self._links if self._console.height >= _TALL else ()
        self._live.update(draw(state, status, links, width=self._console.width), refresh=True)


class _Lines(Screen):
    def __init__(self, console: Console) -> None:
        self._console = console
        self._next: datetime | None = None

    @override
    def live(self) -> AbstractContextManager[object]:
        return nullcontext()

    @override
    def show(self, state: DemoState, status: DemoStatus) -> None:
        if self._next is None or status.business >= self._next:
            self._next = (self._next or status.business) + _LINE_EVERY
            self._console.print(summary_line(state, status), highlight=False, soft_wrap=True)
