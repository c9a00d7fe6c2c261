"""Describes the history of a ticket in sentences."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.events import AssignmentExplained, OfferExpired
from shared.tickets.decisions import summary
from shared.tickets.ringing import group_expired_offers
from shared.web.formatting import span

__all__ = ["Line", "assignment_reason", "history", "why_it_waits"]

_LINES_MAX: Final = 200
type _Sentence = Callable[[str, Mapping[str, Any]], str]
"""Describes an event, given the name of its specialist and its fields."""

_REASONS: Final = {
    "no_skill": "nobody on the roster serves its channel and language",
    "no_capacity": "everybody who serves it is full",
    "no_shift": "nobody who serves it is here",
    "no_answer": "no answer: all who could take it declined it or let it ring",
    "set_aside": "who could take it declined it, or let it ring",
    "pinned": "whom it is pinned to has no room, or is not here",
}
_ABSENT: Final = {
    "offline": "went offline",
    "off_shift": "their shift ended",
    "left": "left the roster",
    "away": "went away",
    "moved": "a lead moved it",
    "pinned": "a lead pinned it",
    "by_hand": "by hand",
}
_SENTENCES: Final[Mapping[str, _Sentence]] = {
    "premium.ticket.accepted.v1": lambda _, f: (
        f"Request taken from {f['source']}, {f['external_id']}"
    ),
    "premium.ticket.responded.v1": lambda _, __: "Customer answered",
    "premium.customer.replied.v1": lambda _, __: "Customer wrote again",
    "premium.customer.reached.v1": lambda _, __: "Customer reached",
    "premium.ticket.waiting.v1": lambda _, f: f"Waits for the {f['waiting_for']}",
    "premium.ticket.resumed.v1": lambda _, __: "The wait is over",
    "premium.ticket.reclassified.v1": lambda _, f: f"Now {_plain(f['severity'])}",
    "premium.ticket.resolved.v1": lambda _, __: "Resolved",
    "premium.ticket.reopened.v1": lambda _, __: "Reopened",
    "premium.ticket.closed.v1": lambda _, __: "Closed",
    "premium.ticket.noted.v1": lambda _, __: "Note written",
    "premium.ticket.merged.v1": lambda _, __: "Merged into another ticket",
    "premium.ticket.absorbed.v1": lambda _, __: "Another ticket was merged into it",
    "premium.ticket.erased.v1": lambda _, __: "What the customer wrote was erased",
    "premium.ticket.queued.v1": lambda _, f: f"Waits: {why_it_waits(f['reason'])}",
    "premium.ticket.offered.v1": lambda who, _: f"Offered to {who}",
    "premium.offer.accepted.v1": lambda who, _: f"{who} accepted",
    "premium.offer.declined.v1": lambda who, f: f"{who} declined: {f['reason']}",
    "premium.offer.expired.v1": lambda who, _: f"{who} did not answer the offer",
    "premium.specialist.set_away.v1": lambda who, f: (
        f"{who} is away: {f['unanswered']} offers in a row were not answered"
    ),
    "premium.offer.withdrawn.v1": lambda who, f: f"Offer to {who} withdrawn: {_cause(f)}",
    "premium.ticket.assigned.v1": lambda who, f: (
        f"{who} has it, after {span(f['waited_ms'] / 1000)}"
        + (", in English: nobody speaks its own" if f["english_instead"] else "")
    ),
    "premium.assignment.declined.v1": lambda who, f: f"{who} declined: {f['reason']}",
    "premium.assignment.handed_back.v1": lambda who, f: (
        f"Taken from {who}: {f.get('reason') or _cause(f)}"
    ),
    "premium.assignment.responded.v1": lambda who, _: f"{who} answered the customer",
    "premium.assignment.released.v1": lambda who, f: f"{who} is done: {_cause(f)}",
    "premium.callback.joined.v1": lambda _, __: "One call is to answer two requests",
    "premium.callback.attempted.v1": lambda who, f: (
        f"{who} dialled, attempt {f['attempt']}: {_plain(f['outcome'])}"
    ),
    "premium.callback.planned.v1": lambda _, f: f"To be dialled again, attempt {f['attempt']}",
    "premium.callback.reminded.v1": lambda who, _: f"{who} was reminded to dial",
    "premium.callback.settled.v1": lambda _, __: "Customer spoken to: no call is owed",
    "premium.promise.infeasible.v1": lambda _, f: f"Nobody can be there in time: {f['words']}",
    "premium.promise.feasible.v1": lambda _, f: f"Infeasible no more: {_plain(f['reason'])}",
    "premium.clock.started.v1": lambda _, f: f"Clock started: {_plain(f['kind'])}",
    "premium.clock.paused.v1": lambda _, f: f"Clock paused: {_plain(f['kind'])}",
    "premium.clock.resumed.v1": lambda _, f: f"Clock runs, due time moved: {_plain(f['kind'])}",
    "premium.clock.repriced.v1": lambda _, f: f"Due time of another target: {_plain(f['kind'])}",
    "premium.clock.cancelled.v1": lambda _, f: f"Clock cancelled: {_plain(f['kind'])}",
    "premium.severity.confirmed.v1": lambda who, f: f"{who} confirmed {_plain(f['severity'])}",
    "premium.severity.reclassified.v1": lambda who, f: f"{who} made it {_plain(f['severity'])}",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence about an event, and when it happened."""

    at: datetime
    text: str
    since: datetime | None = None
    """When the first event happened, if the line describes several."""


def history(
    facts: Sequence[Mapping[str, Any]], commands: Sequence[Mapping[str, Any]]
) -> list[Line]:
    """Describe events and the commands of leads in order, at most the latest 200 lines.

    Offers without an answer share one line. An unknown type of event is shown as its name.
    """
    lines = [_line(group) for group in group_expired_offers(facts, lambda fact: fact["type"])]
    lines += [Line(command["at"], _lead_command(command)) for command in commands]
    return sorted(lines, key=lambda line: line.at)[-_LINES_MAX:]


def why_it_waits(reason: str) -> str:
    """Return a reason in words, empty if it is unknown."""
    return _REASONS.get(reason, "")


def assignment_reason(
    record: AssignmentExplained | None,
    commands: Sequence[Mapping[str, Any]],
    current_specialist_id: str | None,
) -> str:
    """Describe in short why a ticket is where it is, empty if that is unknown.

    If a lead moved the ticket, no decision explains it: describe the move.
    """
    if record is not None and record.specialist_id == current_specialist_id:
        return summary(record)
    moved = [
        command
        for command in commands
        if command["kind"] == "move" and command["to_id"] == current_specialist_id
    ]
    return _lead_command(moved[-1]) if moved else ""


def _describe(fact: Mapping[str, Any]) -> str:
    kind: str = fact["type"]
    describe = _SENTENCES.get(kind)
    return describe(_who(fact), json.loads(fact["fact"])) if describe else kind


def _line(group: Sequence[Mapping[str, Any]]) -> Line:
    if len(group) == 1:
        return Line(group[0]["at"], _describe(group[0]))
    silent = Counter(_who(fact) for fact in group if fact["type"] == OfferExpired.type)
    times = ", ".join(f"{who} {count} times" for who, count in silent.items())
    text = f"Rang {silent.total()} times without an answer: {times}"
    return Line(group[-1]["at"], text.replace(" 1 times", " once"), since=group[0]["at"])


def _who(fact: Mapping[str, Any]) -> str:
    who: str = fact["name"] or fact["specialist_id"] or "nobody"
    return who


def _lead_command(command: Mapping[str, Any]) -> str:
    """Describe a lead's command, which is not an event of a specialist."""
    who, whom = (command["actor_name"] or command["actor"], command["to_name"] or command["to_id"])
    done = {"move": f"moved it to {whom}", "pin": f"pinned it to {whom}", "unpin": "unpinned it"}
    return f"{who} {done[command['kind']]}: {command['reason']}"


def _plain(code: str) -> str:
    return code.replace("_", "-" if code == "business_critical" else " ")


def _cause(fact: Mapping[str, Any]) -> str:
    cause: str = fact["cause"]
    return _ABSENT.get(cause, cause)
