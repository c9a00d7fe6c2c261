"""How the stack tells what it is doing; a command shows it, a test need not hear it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = ["Advance", "Reporter", "Silent"]

type Advance = Callable[[int], None]
"""Told the number of bytes that came in since the last call."""


class Reporter(Protocol):
    """Whoever listens to a stack at work."""

    def say(self, line: str) -> None:
        """Tell one thing that was done."""

    def fetching(self, what: str, size_bytes: int) -> AbstractContextManager[Advance]:
        """Show that something is fetched, for as long as the block lasts."""


class Silent:
    """Keeps everything to itself."""

    def say(self, line: str) -> None:
        """Say nothing."""

    @contextmanager
    def fetching(self, what: str, size_bytes: int) -> Iterator[Advance]:  # noqa: ARG002 - silent
        """Show nothing."""
        yield lambda _: None
