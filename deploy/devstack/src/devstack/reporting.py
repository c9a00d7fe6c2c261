"""How a stack reports its progress: a command shows it, tests may ignore it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = ["Advance", "Reporter", "SilentReporter"]

type Advance = Callable[[int], None]
"""Called with the number of bytes downloaded since the last call."""


class Reporter(Protocol):
    """Receives a stack's progress."""

    def line(self, text: str) -> None:
        """Report one line."""

    def fetching(self, what: str, size_bytes: int) -> AbstractContextManager[Advance]:
        """Report a download that lasts as long as the block."""


class SilentReporter:
    """Ignores all progress."""

    def line(self, text: str) -> None:
        """Ignore the line."""

    @contextmanager
    def fetching(self, what: str, size_bytes: int) -> Iterator[Advance]:  # noqa: ARG002 - silent
        """Ignore the download."""
        yield lambda _: None
