"""The one line that a failed command prints: what is wrong, and what to do next."""

from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Final

import aiohttp
from aiokafka.errors import KafkaError

from premium.errors import CommandError
from premium.profile import chosen
from shared.basics.errors import Transient

__all__ = ["line_for"]

_UNREACHABLE: Final = (Transient, OSError, aiohttp.ClientError, KafkaError)
_CAUSES: Final = "premium.unreachable"
"""Entry points of functions that take the path of the profile in use, and return why its
deployment cannot be reached, or None if they know no reason."""


def line_for(error: Exception) -> str | None:
    """Return the line; None for an unexpected error, whose traceback is shown.

    If the deployment could not be reached, the package that started it may know why.
    """
    if not isinstance(error, CommandError | Transient):
        return None
    unreachable = any(isinstance(cause, _UNREACHABLE) for cause in _causes(error))
    return (_known_reason() if unreachable else None) or str(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _known_reason() -> str | None:
    reasons = (known.load()(chosen()) for known in entry_points(group=_CAUSES))
    return next((str(reason) for reason in reasons if reason), None)
