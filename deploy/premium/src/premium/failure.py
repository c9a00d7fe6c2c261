"""What a person reads when a command fails: one line that says what to do next."""

from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Final

import aiohttp
from aiokafka.errors import KafkaError

from premium.errors import CommandError
from premium.profile import chosen
from shared.basics.errors import Transient

__all__ = ["line_for"]

_UNREACHED: Final = (Transient, OSError, aiohttp.ClientError, KafkaError)
_CAUSES: Final = "premium.unreachable"
"""Entry points of functions: given the profile in use, each returns why its deployment cannot be
reached, or None where it knows no reason."""


def line_for(error: Exception) -> str | None:
    """Write the line; None for what no command foresees: a bug, shown in full.

    Who started the deployment of the profile in use may know why it could not be reached.
    """
    if not isinstance(error, CommandError | Transient):
        return None
    unreached = any(isinstance(cause, _UNREACHED) for cause in _causes(error))
    return (_known_reason() if unreached else None) or str(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _known_reason() -> str | None:
    reasons = (known.load()(chosen()) for known in entry_points(group=_CAUSES))
    return next((str(reason) for reason in reasons if reason), None)
