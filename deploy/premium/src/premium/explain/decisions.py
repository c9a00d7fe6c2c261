"""Router's decisions about a ticket, described from their records."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from rich.console import Group, RenderableType
from rich.text import Text

from premium.explain.sentences import reader_of
from premium.timestamps import Local
from shared.events import AssignmentExplained
from shared.wording.decisions import LineKind, explain

__all__ = ["Decisions", "decided"]

_HEAD: Final = "bold"
_STYLES: Final[dict[LineKind, str]] = {"chosen": "green", "failed": "dim"}


class Decisions(BaseModel):
    """Router's response about a ticket."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ticket_id: UUID
    decisions: tuple[AssignmentExplained, ...]


def decided(decisions: Sequence[AssignmentExplained], local: Local) -> RenderableType:
    """Describe each decision, the oldest first."""
    return Group(
        Text("\nWho has it, and why", style=_HEAD),
        *(line for record in decisions for line in _lines(record, local)),
    )


def _lines(record: AssignmentExplained, local: Local) -> Iterator[Text]:
    for line in explain(record, replace(reader_of(local), moment=local.both)):
        indent = "  " if line.kind == "outcome" else "      "
        yield Text(indent + line.text, style=_STYLES.get(line.kind, ""))
