"""Shows a watch: events above a status line that stays; in a pipe, a status line every 5 s."""

from contextlib import AbstractContextManager, nullcontext
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from premium.watch.silence import Proof
from premium.watch.view import silence_line
from shared.basics.clock import elapsed_s

__all__ = ["Screen"]

_LINE_EVERY_S: Final = 5.0


class Screen:
    """A console that shows a watch while the block of `live` lasts."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._shown_s = elapsed_s()
        self._held: bool | None = None

    def live(self) -> AbstractContextManager[object]:
        """Keep the status line at the bottom of a terminal."""
        return self._live or nullcontext()

    def show_event(self, line: Text) -> None:
        """Show an event."""
        self._console.print(line, soft_wrap=self._live is None)

    def show_status(self, proof: Proof) -> None:
        """Show how far silence can be trusted; in a pipe only if that changed, or after 5 s."""
        if self._live is not None:
            self._live.update(silence_line(proof), refresh=True)
        elif proof.holds != self._held or elapsed_s(self._shown_s) >= _LINE_EVERY_S:
            self._held, self._shown_s = proof.holds, elapsed_s()
            self._console.print(silence_line(proof), soft_wrap=True)
