"""Why a ticket was assigned as it was, or waits, in sentences, from its decision record."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple

from shared.events import RULES, AssignmentExplained, Candidate, Change, Decided, Need, Rule
from shared.wording.reader import Message, Plural, Reader
from shared.wording.table import Sentences

__all__ = ["SENTENCES", "Line", "LineKind", "explain", "summary"]

type LineKind = Literal["outcome", "asked", "chosen", "able", "failed", "why"]

_THOUSAND: Final = 1000
_FAILS: Final[Mapping[Rule, Plural]] = {
    "channel": Plural("{who} does not serve the channel", "{who} do not serve the channel"),
    "certified": Plural("{who} is not certified", "{who} are not certified"),
    "language": Plural("{who} does not speak it well enough", "{who} do not speak it well enough"),
    "skill": Plural("{who} lacks a skill", "{who} lack a skill"),
    "presence": Plural("{who} is not online", "{who} are not online"),
    "shift": Plural("{who} is off shift", "{who} are off shift"),
    "room": Plural("{who} is full", "{who} are full"),
    "set_aside": Plural("{who} declined or missed it", "{who} declined or missed it"),
    "pinned": Plural("It is not kept for {who}", "It is not kept for {who}"),
}
_NEVER_SIGNED_IN: Final = Plural("{who} has never signed in", "{who} have never signed in")
_OTHERS: Final[Mapping[Rule | Literal["able"], Plural]] = {
    "channel": Plural(
        "1 other does not serve the channel", "{count} others do not serve the channel"
    ),
    "certified": Plural("1 other is not certified", "{count} others are not certified"),
    "language": Plural(
        "1 other does not speak it well enough", "{count} others do not speak it well enough"
    ),
    "skill": Plural("1 other lacks a skill", "{count} others lack a skill"),
    "presence": Plural("1 other is not online", "{count} others are not online"),
    "shift": Plural("1 other is off shift", "{count} others are off shift"),
    "room": Plural("1 other is full", "{count} others are full"),
    "set_aside": Plural("1 other declined or missed it", "{count} others declined or missed it"),
    "pinned": Plural("It is not kept for 1 other", "It is not kept for {count} others"),
    "able": Plural("1 other could take it, too", "{count} others could take it, too"),
}
_DECIDED: Final[Mapping[Decided, Message]] = {
    "only": Message("Nobody else was free."),
    "step": Message("Everyone else meets fewer of the requirements."),
    "score": Message("{who} had the lowest score."),
    "idle_longest": Message("Equal scores: {who} waited longest for a ticket."),
    "id": Message("Equal in everything: {who} comes first by id."),
}
_WOULD_HAVE: Final[Mapping[Rule, Message]] = {
    "channel": Message("{who} would have it if they served the channel."),
    "certified": Message("{who} would have it if they were certified."),
    "presence": Message("{who} would have it if they were online."),
    "shift": Message("{who} would have it if they were on shift."),
    "set_aside": Message("{who} would have it if they had not declined or missed it."),
    "pinned": Message("{who} would have it if it were kept for them."),
}
_HAD_SIGNED_IN: Final = Message("{who} would have it if they had signed in.")
_WOULD_HAVE_WITH: Final[Mapping[Rule, Plural]] = {
    "language": Plural(
        "{who} would have it with one more level of the language.",
        "{who} would have it with {count} more levels of the language.",
    ),
    "skill": Plural(
        "{who} would have it with one more of the skills.",
        "{who} would have it with {count} more of the skills.",
    ),
    "room": Plural(
        "{who} would have it with one ticket fewer.",
        "{who} would have it with {count} tickets fewer.",
    ),
}
_INSTEAD_WITH_MORE: Final = Plural(
    "{instead} would have it if {who} had one more ticket.",
    "{instead} would have it if {who} had {count} more tickets.",
)
_WAIT_WITH_MORE: Final = Plural(
    "It would wait if {who} had one more ticket.",
    "It would wait if {who} had {count} more tickets.",
)
_RELAXED: Final = Plural(
    "{who} qualifies after one step of relaxation",
    "{who} qualifies after {count} steps of relaxation",
)


class Line(NamedTuple):
    """A sentence of the explanation, and its topic."""

    kind: LineKind
    text: str


def summary(record: AssignmentExplained, reader: Reader) -> str:
    """Explain in one sentence why this specialist was chosen, or by which change one would be."""
    who = record.specialist_id
    if who is not None and record.wanted.returns:
        return reader.text(Message("{who} answered it before."), who=reader.name(who))
    if who is not None and record.decided_by is not None:
        return reader.text(_DECIDED[record.decided_by], who=reader.name(who))
    change = record.smallest_change
    if change is None:
        return reader.text(Message("No specialist could take it."))
    return _otherwise(change, record, reader)


def explain(record: AssignmentExplained, reader: Reader) -> Iterator[Line]:
    """Explain a decision, sentence by sentence."""
    at, who = reader.moment(record.decided_at), record.specialist_id
    if who is None:
        outcome = reader.text(Message("{at}: waits, no specialist could take it"), at=at)
    else:
        outcome = reader.text(Message("{at}: assigned to {who}"), at=at, who=reader.name(who))
    yield Line("outcome", outcome)
    for line in _asked(record, reader):
        yield Line("asked", line)
    able = sorted(
        (one for one in record.candidates if one.score is not None),
        key=lambda one: (one.specialist_id != who, one.step, one.score, one.specialist_id),
    )
    for one in able:
        for line in _scored(one, record, reader):
            yield Line("chosen" if one is able[0] else "able", line)
    for line in _failed(record, reader):
        yield Line("failed", line)
    if record.decided_by is not None:
        yield Line("why", summary(record, reader))
    if record.smallest_change is not None:
        yield Line("why", _otherwise(record.smallest_change, record, reader))
    if record.again_at is not None:
        again_at = reader.moment(record.again_at)
        yield Line("why", reader.text(Message("Less is required from {at}."), at=again_at))


def _asked(record: AssignmentExplained, reader: Reader) -> Iterator[str]:
    wanted = record.wanted
    first, *relaxed = dict.fromkeys(_need(need, reader) for need in wanted.needs)
    message = Message("Required: {channel}, {need}")
    yield reader.text(message, channel=wanted.channel, need=first)
    for need in relaxed:
        yield reader.text(Message("or else: {need}"), need=need)
    if wanted.pinned_to is not None and wanted.returns:
        message = Message("Kept for {who}, who answered it before")
        yield reader.text(message, who=reader.name(wanted.pinned_to))
    elif wanted.pinned_to is not None:
        yield reader.text(Message("Kept for {who}"), who=reader.name(wanted.pinned_to))
    if wanted.all_set_aside:
        yield reader.text(Message("Everyone declined or missed it, so all are asked again"))


def _need(need: Need, reader: Reader) -> str:
    if need.language is None:
        return reader.text(Message("any certified specialist"))
    values = {"language": reader.language(need.language), "level": need.level}
    if not need.skills:
        return reader.text(Message("{language} at level {level}"), **values)
    skills = ", ".join(need.skills)
    return reader.text(
        Message("{language} at level {level} with {skills}"), skills=skills, **values
    )


def _scored(one: Candidate, record: AssignmentExplained, reader: Reader) -> Iterator[str]:
    weights, who = record.weights, reader.name(one.specialist_id)
    affinity = weights.affinity * _THOUSAND if one.knows else 0
    scarcity = weights.scarcity * one.scarcity
    message = Message("{who}: {score} = scarcity {scarcity} + load {share} ({load} of {capacity})")
    if one.knows:
        message = Message(
            "{who}: {score} = scarcity {scarcity} + load {share} ({load} of {capacity})"
            " - {affinity} for knowing the account"
        )
    yield reader.text(
        message,
        who=who,
        score=one.score,
        scarcity=scarcity,
        share=(one.score or 0) + affinity - scarcity,
        load=one.load,
        capacity=one.capacity,
        affinity=affinity,
    )
    if one.step:
        yield reader.plural(_RELAXED, one.step, who=who)


def _failed(record: AssignmentExplained, reader: Reader) -> Iterator[str]:
    """List candidates by the first condition that they fail, and those that are only counted."""
    for rule in RULES:
        failed = [one for one in record.candidates if one.failed == rule]
        unheard = [one for one in failed if _only_unheard(one)]
        others = [one for one in failed if not _only_unheard(one)]
        for fails, named in (_FAILS[rule], others), (_NEVER_SIGNED_IN, unheard):
            if named:
                who = ", ".join(reader.name(one.specialist_id) for one in named)
                yield reader.plural(fails, len(named), who=who)
    for why, count in record.others.items():
        yield reader.plural(_OTHERS[why], count)


def _only_unheard(one: Candidate) -> bool:
    return one.failed == "presence" and one.presence == "online"


def _otherwise(change: Change, record: AssignmentExplained, reader: Reader) -> str:
    """Return by which smallest change another specialist would have got the ticket, or none."""
    who, by = reader.name(change.specialist_id), abs(change.by)
    if change.specialist_id == record.specialist_id:
        return _instead(change, who, reader)
    if change.rule in _WOULD_HAVE_WITH:
        return reader.plural(_WOULD_HAVE_WITH[change.rule], by, who=who)
    unheard = any(
        one.specialist_id == change.specialist_id and _only_unheard(one)
        for one in record.candidates
    )
    return reader.text(_HAD_SIGNED_IN if unheard else _WOULD_HAVE[change.rule], who=who)


def _instead(change: Change, who: str, reader: Reader) -> str:
    """Return what would happen if the chosen specialist were absent, or had more tickets."""
    if change.instead is None and change.rule == "room":
        return reader.plural(_WAIT_WITH_MORE, change.by, who=who)
    if change.instead is None:
        return reader.text(Message("It would wait if {who} were not online."), who=who)
    instead = reader.name(change.instead)
    if change.rule == "room":
        return reader.plural(_INSTEAD_WITH_MORE, change.by, who=who, instead=instead)
    message = Message("{instead} would have it if {who} were not online.")
    return reader.text(message, who=who, instead=instead)


SENTENCES: Final[Sentences] = {AssignmentExplained: summary}
