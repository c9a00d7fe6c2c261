"""What a person reads when a command fails: one line that says what to do next."""

from collections.abc import Iterator
from pathlib import Path

import aiohttp
from aiokafka.errors import KafkaError

from premium.stack import Stack, StackError
from premium.stack.state import Home
from shared.basics.errors import Transient

__all__ = ["line_for"]

_UNREACHED = (Transient, OSError, aiohttp.ClientError, KafkaError)


def line_for(error: Exception, home: Path) -> str | None:
    """Write the line; None for what no command foresees: a bug, shown in full.

    What could not be reached is explained by the stack in ``home``, if that does not run.
    """
    if not isinstance(error, StackError | Transient):
        return None
    unreached = any(isinstance(cause, _UNREACHED) for cause in _causes(error))
    return (_down(home) if unreached else None) or str(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _down(home: Path) -> str | None:
    """Say that the stack does not run, or what of it; None if nothing of it is missing."""
    if not Home(home).exists:
        return None
    stack = Stack.attach(home)
    running, stopped = stack.running()
    if not stopped:
        return None
    what = f"{', '.join(stopped)} of the stack" if running else "the stack"
    return f"{what} in {stack.folder} does not run: run `premium up`"
