"""What leads did with a ticket, in sentences; these come from commands, not from events."""

from collections.abc import Mapping
from typing import Final

from shared.wording.reader import Message, Reader

__all__ = ["lead_command"]

_COMMANDS: Final[Mapping[str, Message]] = {
    "move": Message("{lead} moved it to {who}: {reason}"),
    "pin": Message("{lead} keeps it for {who}: {reason}"),
    "unpin": Message("{lead} stopped keeping it for someone: {reason}"),
}


def lead_command(kind: str, lead: str, to: str | None, reason: str, reader: Reader) -> str:
    """Return the sentence for a move, a pin or its end; ``to`` is the chosen specialist."""
    values = {"lead": reader.name(lead), "who": reader.name(to or ""), "reason": reason}
    return reader.text(_COMMANDS[kind], **values)
