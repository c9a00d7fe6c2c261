"""The history of a ticket for its page: events and leads' commands, each as a sentence."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.events import CATALOGUE, AssignmentExplained, OfferExpired
from shared.tickets.ringing import group_expired_offers
from shared.wording import Reader, sentence
from shared.wording.assignments import unanswered_offers
from shared.wording.decisions import summary
from shared.wording.leads import lead_command

__all__ = ["Line", "assignment_reason", "history"]

_LINES_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence about an event, and when it happened."""

    at: datetime
    text: str
    since: datetime | None = None
    """When the first event happened, if the line describes several."""


def history(
    facts: Sequence[Mapping[str, Any]], commands: Sequence[Mapping[str, Any]], reader: Reader
) -> list[Line]:
    """Describe events and the commands of leads in order, at most the latest 200 lines.

    Consecutive offers without an answer share one line. An event of unknown type is shown as its
    type.
    """
    groups = [*group_expired_offers(facts, lambda fact: fact["type"])]
    lines = [_line(group, reader) for group in groups[-_LINES_MAX:]]
    lines += [Line(command["at"], _lead_command(command, reader)) for command in commands]
    return sorted(lines, key=lambda line: line.at)[-_LINES_MAX:]


def assignment_reason(
    record: AssignmentExplained | None,
    commands: Sequence[Mapping[str, Any]],
    current_specialist_id: str | None,
    reader: Reader,
) -> str:
    """Describe in short why a ticket is with its specialist, or waits; empty if unknown.

    If a lead moved the ticket, no decision explains it: describe the move.
    """
    if record is not None and record.specialist_id == current_specialist_id:
        return summary(record, reader)
    moved = [
        command
        for command in commands
        if command["kind"] == "move" and command["to_id"] == current_specialist_id
    ]
    return _lead_command(moved[-1], reader) if moved else ""


def _line(group: Sequence[Mapping[str, Any]], reader: Reader) -> Line:
    if len(group) == 1:
        return Line(group[0]["at"], _describe(group[0], reader))
    missed = Counter(fact["specialist_id"] for fact in group if fact["type"] == OfferExpired.type)
    return Line(group[-1]["at"], unanswered_offers(missed, reader), since=group[0]["at"])


def _describe(fact: Mapping[str, Any], reader: Reader) -> str:
    event_type = CATALOGUE.get(fact["type"])
    if event_type is None:
        return str(fact["type"])
    return sentence(event_type.model_validate_json(fact["fact"]), reader)


def _lead_command(command: Mapping[str, Any], reader: Reader) -> str:
    who, to, reason = command["actor"], command["to_id"], command["reason"]
    return lead_command(command["kind"], who, to, reason, reader)
