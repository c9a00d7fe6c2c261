"""Why who has a ticket, in words: each decision of router, from its record."""

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from rich.console import Group, RenderableType
from rich.text import Text

from premium.moments import Local
from shared.events import AssignmentExplained
from shared.tickets.decisions import LineKind, explain

__all__ = ["Decisions", "decided"]

_HEAD: Final = "bold"
_STYLES: Final[dict[LineKind, str]] = {"chosen": "green", "failed": "dim"}


class Decisions(BaseModel):
    """What router answers about a ticket."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ticket_id: UUID
    decisions: tuple[AssignmentExplained, ...]


def decided(decisions: Sequence[AssignmentExplained], local: Local) -> RenderableType:
    """Tell of each decision, the oldest first."""
    return Group(
        Text("\nWho has it, and why", style=_HEAD),
        *(line for record in decisions for line in _lines(record, local)),
    )


def _lines(record: AssignmentExplained, local: Local) -> Iterator[Text]:
    for line in explain(record, local.both):
        indent = "  " if line.kind == "outcome" else "      "
        yield Text(indent + line.text, style=_STYLES.get(line.kind, ""))
