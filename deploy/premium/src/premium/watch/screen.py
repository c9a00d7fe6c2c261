"""Where a watch is seen: lines above one that stays, or, in a pipe, a line every few seconds."""

from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol, override

from rich.console import Console
from rich.live import Live
from rich.text import Text

from premium.watch.silence import Proof
from premium.watch.view import silence_line
from shared.basics.clock import elapsed_s

__all__ = ["Screen", "screen_on"]

_LINE_EVERY_S: Final = 5.0


class Screen(Protocol):
    """Shows a watch, as long as the block `lit` lasts."""

    def lit(self) -> AbstractContextManager[object]:
        """Begin and end."""

    def tell(self, line: Text) -> None:
        """Show what came."""

    def show(self, proof: Proof) -> None:
        """Show how far silence goes now."""


def screen_on(console: Console) -> Screen:
    """Choose what suits the console."""
    return _Terminal(console) if console.is_terminal else _Lines(console)


class _Terminal(Screen):
    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False)

    @override
    def lit(self) -> AbstractContextManager[object]:
        return self._live

    @override
    def tell(self, line: Text) -> None:
        self._console.print(line)

    @override
    def show(self, proof: Proof) -> None:
        self._live.update(silence_line(proof), refresh=True)


class _Lines(Screen):
    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown_s = elapsed_s()
        self._held: bool | None = None

    @override
    def lit(self) -> AbstractContextManager[object]:
        return nullcontext()

    @override
    def tell(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)

    @override
    def show(self, proof: Proof) -> None:
        """Show at once what changed: silence holds, or no longer."""
        if proof.holds != self._held or elapsed_s(self._shown_s) >= _LINE_EVERY_S:
            self._held, self._shown_s = proof.holds, elapsed_s()
            self._console.print(silence_line(proof), soft_wrap=True)
