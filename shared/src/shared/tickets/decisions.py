"""Why a ticket went to whom it went, or waits: the record of a decision, told in words."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final, Literal, NamedTuple

from shared.events import RULES, AssignmentExplained, Candidate, Change, Need, Rule

__all__ = ["Line", "LineKind", "explain", "summary"]

type LineKind = Literal["outcome", "asked", "chosen", "able", "failed", "why"]

_THOUSAND: Final = 1000
_FAILS: Final[dict[Rule, tuple[str, str]]] = {
    "channel": ("does not serve the channel", "do not serve the channel"),
    "certified": ("is not certified", "are not certified"),
    "language": ("does not speak it well enough", "do not speak it well enough"),
    "skill": ("lacks a skill", "lack a skill"),
    "presence": ("is not online", "are not online"),
    "shift": ("is off shift", "are off shift"),
    "room": ("has no room", "have no room"),
    "set_aside": ("did not take it before", "did not take it before"),
    "pinned": ("is not whom it is kept for", "are not whom it is kept for"),
}
_UNHEARD: Final = ("has never signed in", "have never signed in")
_BEEN: Final = ("been online", "signed in")
_DECIDED: Final = {
    "only": "nobody else could take it",
    "step": "others would need the rules relaxed further",
    "score": "the lowest score",
    "idle_longest": "equal scores: they waited longest for a ticket",
    "id": "equal in all: first by id",
}

_RETURNS: Final = "the customer replied to them"


class Line(NamedTuple):
    """A line of what is told, and what it is about."""

    kind: LineKind
    text: str


def summary(record: AssignmentExplained) -> str:
    """Say in a few words what told the chosen from the others, or what would help."""
    if record.wanted.returns:
        return _RETURNS
    if record.decided_by is not None:
        return _DECIDED[record.decided_by]
    change = record.smallest_change
    return "nobody could take it" if change is None else _otherwise(change, record)


def explain(record: AssignmentExplained, moment: Callable[[datetime], str]) -> Iterator[Line]:
    """Tell of a decision; ``moment`` writes an instant."""
    who = record.specialist_id
    outcome = f"it goes to {who}" if who is not None else "it waits: nobody could take it"
    yield Line("outcome", f"{moment(record.decided_at)}: {outcome}")
    yield Line("asked", f"asked for: {_asked(record)}")
    able = sorted(
        (one for one in record.candidates if one.score is not None),
        key=lambda one: (one.specialist_id != who, one.step, one.score, one.specialist_id),
    )
    for one in able:
        yield Line("chosen" if one is able[0] else "able", _scored(one, record))
    for line in _failed(record):
        yield Line("failed", line)
    if record.decided_by is not None:
        yield Line("why", f"decided by: {summary(record)}")
    if record.smallest_change is not None:
        yield Line("why", _otherwise(record.smallest_change, record))
    if record.again_at is not None:
        yield Line("why", f"less is asked for from {moment(record.again_at)}")


def _asked(record: AssignmentExplained) -> str:
    wanted = record.wanted
    needs = dict.fromkeys(_need(need) for need in wanted.needs)
    asked = f"{wanted.channel}, {', or else '.join(needs)}"
    if wanted.returns:
        return f"{asked}; back to {wanted.pinned_to}, who answered it before"
    if wanted.pinned_to is not None:
        return f"{asked}; kept for {wanted.pinned_to}"
    anybody = "; all who could did not take it before, so any of them"
    return asked + anybody if wanted.all_set_aside else asked


def _need(need: Need) -> str:
    if need.language is None:
        return "anybody certified"
    skills = f" with {', '.join(need.skills)}" if need.skills else ""
    return f"{need.language} at level {need.level}{skills}"


def _scored(one: Candidate, record: AssignmentExplained) -> str:
    weights = record.weights
    affinity = weights.affinity * _THOUSAND if one.knows else 0
    scarcity = weights.scarcity * one.scarcity
    load = (one.score or 0) + affinity - scarcity
    parts = [f"scarcity {scarcity}", f"load {load} ({one.load} of {one.capacity})"]
    if one.knows:
        parts.append(f"knows the account -{affinity}")
    relaxed = f", after {one.step} steps of relaxation" if one.step else ""
    return f"{one.specialist_id}: {one.score} = {' + '.join(parts)}{relaxed}"


def _failed(record: AssignmentExplained) -> Iterator[str]:
    """Name those in full, by the rule that they fail first, and count the others."""
    for rule in RULES:
        failed = [one for one in record.candidates if one.failed == rule]
        unheard = [one.specialist_id for one in failed if _only_unheard(one)]
        names = [one.specialist_id for one in failed if not _only_unheard(one)]
        if names:
            yield f"{', '.join(names)} {_FAILS[rule][len(names) > 1]}"
        if unheard:
            yield f"{', '.join(unheard)} {_UNHEARD[len(unheard) > 1]}"
    for why, count in record.others.items():
        fails = "could take it, too" if why == "able" else _FAILS[why][count > 1]
        yield f"{count} others {fails}" if count > 1 else f"1 other {fails}"


def _only_unheard(one: Candidate) -> bool:
    return one.failed == "presence" and one.presence == "online"


def _otherwise(change: Change, record: AssignmentExplained) -> str:
    instead = f"{change.instead} would have it" if change.instead else "it would wait"
    return f"had {_had(change, record)}, {instead}"


def _had(change: Change, record: AssignmentExplained) -> str:
    who, by = change.specialist_id, abs(change.by)
    chosen = who == record.specialist_id
    unheard = any(one.specialist_id == who and _only_unheard(one) for one in record.candidates)
    tickets = f"{by} ticket" if by == 1 else f"{by} tickets"
    said: dict[Rule, str] = {
        "channel": f"{who} served the channel",
        "certified": f"{who} been certified",
        "language": f"{who} spoken it better by {by}",
        "skill": f"{who} had {by} more of the skills",
        "presence": f"{who} {'not been' if chosen else _BEEN[unheard]}",
        "shift": f"{who} been on shift",
        "room": f"{who} held {tickets} {'more' if change.by > 0 else 'fewer'}",
        "set_aside": f"{who} not passed it on",
        "pinned": f"{who} been whom it is kept for",
    }
    return said[change.rule]
