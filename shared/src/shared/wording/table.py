"""The type of a table of sentences: for each event type, the function that makes its sentence."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.events import Event
from shared.wording.reader import Message, Reader

__all__ = ["Sentences", "always"]

type Sentences = Mapping[type[Event], Callable[[Any, Reader], str]]


def always(message: Message) -> Callable[[Event, Reader], str]:
    """Make the function for an event type that always has the same sentence."""
    return lambda _, reader: reader.text(message)
