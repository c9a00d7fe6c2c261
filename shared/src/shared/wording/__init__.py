"""Sentences for people about tickets: one function makes the sentence of each event type.

The inbox and `premium explain` use the same ones. A sentence is a message of a catalogue, with
named placeholders; a placeholder holds a value, or after a colon a whole clause. The reader decides
how instants, durations and names are written.
"""

from typing import Final

from shared.events import Event
from shared.wording import (
    assignments,
    callbacks,
    clocks,
    decisions,
    notifications,
    tickets,
    waiting,
)
from shared.wording.reader import Message, Plural, Reader
from shared.wording.table import Sentences

__all__ = ["SENTENCES", "Message", "Plural", "Reader", "sentence"]

SENTENCES: Final[Sentences] = {
    **tickets.SENTENCES,
    **assignments.SENTENCES,
    **callbacks.SENTENCES,
    **waiting.SENTENCES,
    **clocks.SENTENCES,
    **decisions.SENTENCES,
    **notifications.SENTENCES,
}


def sentence(event: Event, reader: Reader) -> str:
    """Describe what happened. Raises KeyError for an event that is not about a ticket."""
    return SENTENCES[type(event)](event, reader)
