"""Where the play is watched: a full screen in a terminal, a line now and then in a pipe."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Final, Protocol, override

from rich.console import Console
from rich.live import Live

from lab.demo.board import Board
from lab.demo.view import Pulse, draw, in_one_line

__all__ = ["Screen", "screen_on"]

_LINE_EVERY: Final = timedelta(hours=2)


class Screen(Protocol):
    """Shows the state of the play, as long as the block `lit` lasts."""

    def lit(self) -> AbstractContextManager[object]:
        """Begin and end."""

    def show(self, board: Board, pulse: Pulse) -> None:
        """Show how things stand now."""


def screen_on(console: Console, links: Sequence[str]) -> Screen:
    """Choose what suits the console; ``links`` lead into the inbox."""
    return _Terminal(console, links) if console.is_terminal else _Lines(console)


_TALL: Final = 32


class _Terminal(Screen):
    def __init__(self, console: Console, links: Sequence[str]) -> None:
        self._console = console
        self._links = links
        self._live = Live(console=console, screen=True, auto_refresh=False)

    @override
    def lit(self) -> AbstractContextManager[object]:
        return self._live

    @override
    def show(self, board: Board, pulse: Pulse) -> None:
        links = self._links if self._console.height >= _TALL else ()
        self._live.update(draw(board, pulse, links, width=self._console.width), refresh=True)


class _Lines(Screen):
    def __init__(self, console: Console) -> None:
        self._console = console
        self._next: datetime | None = None

    @override
    def lit(self) -> AbstractContextManager[object]:
        return nullcontext()

    @override
    def show(self, board: Board, pulse: Pulse) -> None:
        if self._next is None or pulse.business >= self._next:
            self._next = (self._next or pulse.business) + _LINE_EVERY
            self._console.print(in_one_line(board, pulse), highlight=False, soft_wrap=True)
