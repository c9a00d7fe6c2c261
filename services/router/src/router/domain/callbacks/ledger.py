"""A callback's ledger: what was wished and told at one number, in whatever order, and what is owed.

Everything is a function of the set of facts. At one number at most one call is owed at a time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Final, NamedTuple
from uuid import UUID

from shared.events import AttemptOutcome, Contact
from shared.tickets import FactKind, LifecycleFact, lifecycle_steps, ordered_facts

__all__ = [
    "HOUSE_RULE",
    "Attempt",
    "Call",
    "Rule",
    "Settlement",
    "Told",
    "Wish",
    "calls_of",
]


@dataclass(frozen=True, slots=True)
class Rule:
    """When to dial again: after what share of the time that is left, and how often at most.

    A wrong number is not dialled again. Who asks again is called at once, and counts anew.
    """

    attempts_max: int
    again_after: Mapping[AttemptOutcome, float]


HOUSE_RULE: Final = Rule(attempts_max=3, again_after={"no_answer": 0.4, "busy": 0.2})


class Wish(NamedTuple):
    """A ticket at a number. It is owed a call, or it only tells of the customer there.

    ``due_at`` is None where nothing is promised. Who ``dialled`` was spoken to at ``at``.
    """

    ticket_id: UUID
    at: datetime
    due_at: datetime | None
    owed: bool
    dialled: bool = False
    reopen_within_s: int = 0

    @property
    def opening(self) -> LifecycleFact:
        """What begins the life of the ticket."""
        within = timedelta(seconds=self.reopen_within_s)
        return LifecycleFact("accepted", self.at, self.ticket_id, reopen_within=within)


class Told(NamedTuple):
    """A fact about a ticket; ``id`` tells copies apart."""

    id: UUID
    ticket_id: UUID
    at: datetime
    kind: FactKind

    @property
    def of_life(self) -> LifecycleFact:
        """What it is to the life of the ticket."""
        return LifecycleFact(self.kind, self.at, self.id)


class Attempt(NamedTuple):
    """Somebody dialled."""

    id: UUID
    ticket_id: UUID
    at: datetime
    specialist_id: str
    outcome: AttemptOutcome


class Settlement(NamedTuple):
    """The customer was spoken to; ``id`` is that of the fact which says so."""

    at: datetime
    id: UUID
    on: UUID
    how: Contact


@dataclass(frozen=True, slots=True)
class Call:
    """Wishes that one call answers, earliest first, and what was tried.

    ``open`` are the tickets still owed it; ``settled`` says how others were answered, those that
    are in neither ended by themselves. ``planned_at`` is when to dial next: None where nobody
    should by themselves.
    """

    wishes: tuple[Wish, ...]
    attempts: tuple[Attempt, ...]
    open: tuple[UUID, ...]
    settled: Mapping[UUID, Settlement]
    due_at: datetime | None
    planned_at: datetime | None
    over_at: datetime | None
    """Since when nothing is owed; None while something is."""

    @property
    def next_attempt(self) -> int:
        """Number the dial that comes next, from 1."""
        return len(self.attempts) + 1


def calls_of(facts: Iterable[Wish | Told | Attempt], rule: Rule) -> list[Call]:
    """Read the ledger of a number, from the first call to the latest."""
    facts = set(facts)
    wishes = sorted(f for f in facts if isinstance(f, Wish))
    told = [f for f in facts if isinstance(f, Told)]
    attempts = sorted((f for f in facts if isinstance(f, Attempt)), key=lambda a: (a.at, a.id))
    contacts = sorted([*_spoken(wishes), *_reached(told), *_answered(attempts)])
    owed = sorted((w for w in wishes if w.owed), key=lambda w: (w.at, w.ticket_id))
    over = {w.ticket_id: _over_at(w, contacts, told) for w in owed}
    groups: list[list[Wish]] = []
    for wish in owed:
        if groups and any(_is_open(over[m.ticket_id], wish.at) for m in groups[-1]):
            groups[-1].append(wish)
        else:
            groups.append([wish])
    ends = [group[0].at for group in groups[1:]]
    return [
        _call(group, [a for a in attempts if _within(a.at, group, end)], contacts, over, rule)
        for group, end in zip_longest(groups, ends)
    ]


def _spoken(wishes: Iterable[Wish]) -> Iterable[Settlement]:
    return (Settlement(w.at, w.ticket_id, w.ticket_id, "dialled") for w in wishes if w.dialled)


def _reached(told: Iterable[Told]) -> Iterable[Settlement]:
    return (Settlement(t.at, t.id, t.ticket_id, "reached") for t in told if t.kind == "reached")


def _answered(attempts: Iterable[Attempt]) -> Iterable[Settlement]:
    answered = (a for a in attempts if a.outcome == "answered")
    return (Settlement(a.at, a.id, a.ticket_id, "answered") for a in answered)


def _over_at(wish: Wish, contacts: Sequence[Settlement], told: Iterable[Told]) -> datetime | None:
    """Find when a wish was owed nothing more: spoken to, answered otherwise, or given up."""
    settled = [c.at for c in contacts if c.at >= wish.at][:1]
    ordered = ordered_facts(
        [wish.opening, *(t.of_life for t in told if t.ticket_id == wish.ticket_id)]
    )
    after = list(lifecycle_steps(ordered))
    answered = [f.at for f, life in zip(ordered, after, strict=True) if life.answered][:1]
    ends = [end.at for end in (after[-1].closed, after[-1].ended) if end is not None]
    return min([*settled, *answered, *ends], default=None)


def _is_open(over_at: datetime | None, at: datetime) -> bool:
    return over_at is None or over_at > at


def _within(at: datetime, group: Sequence[Wish], end: datetime | None) -> bool:
    return group[0].at <= at and (end is None or at < end)


def _call(
    wishes: Sequence[Wish],
    attempts: Sequence[Attempt],
    contacts: Sequence[Settlement],
    over: Mapping[UUID, datetime | None],
    rule: Rule,
) -> Call:
    ends = [over[wish.ticket_id] for wish in wishes]
    waiting = [wish for wish in wishes if over[wish.ticket_id] is None]
    settled = {}
    for wish in wishes:
        first = next((c for c in contacts if c.at >= wish.at), None)
        if first is not None and first.at == over[wish.ticket_id]:
            settled[wish.ticket_id] = first
    due_at, planned_at = _plan(waiting, attempts, rule)
    return Call(
        wishes=tuple(wishes),
        attempts=tuple(attempts),
        open=tuple(wish.ticket_id for wish in waiting),
        settled=settled,
        due_at=due_at,
        planned_at=planned_at,
        over_at=None if waiting else max(at for at in ends if at is not None),
    )


def _plan(
    waiting: Sequence[Wish], attempts: Sequence[Attempt], rule: Rule
) -> tuple[datetime | None, datetime | None]:
    """Say when the call is due, and when to dial next: inside the window that is left."""
    if not waiting:
        return None, None
    asked_at = max(wish.at for wish in waiting)
    tried = [attempt for attempt in attempts if attempt.at >= asked_at]
    since = tried[-1].at if tried else asked_at
    dues = [wish.due_at for wish in waiting if wish.due_at is not None]
    due_at = min((due for due in dues if due > since), default=max(dues, default=None))
    if not tried:
        return due_at, asked_at
    share = rule.again_after.get(tried[-1].outcome)
    if share is None or len(tried) >= rule.attempts_max or due_at is None or due_at <= since:
        return due_at, None
    return due_at, since + (due_at - since) * share
