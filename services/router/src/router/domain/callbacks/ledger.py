"""The ledger of a number: requests, events and attempts, and the calls that follow from them.

The calls are a function of the set of facts, in whatever order these arrive. At most one call is
owed to a number at a time.
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
    "REDIAL_RULE",
    "Attempt",
    "Call",
    "CallbackEvent",
    "CallbackRequest",
    "RedialRule",
    "Settlement",
    "calls_of",
]


@dataclass(frozen=True, slots=True)
class RedialRule:
    """When to dial again: after a share of the time left; at most ``attempts_max`` dials in all.

    A wrong number is not dialled again. A new request is dialled at once, and counted from one
    again.
    """

    attempts_max: int
    again_after: Mapping[AttemptOutcome, float]


REDIAL_RULE: Final = RedialRule(attempts_max=3, again_after={"no_answer": 0.4, "busy": 0.2})


class CallbackRequest(NamedTuple):
    """A ticket of a customer with this number; it asks for a call only if ``owed``.

    ``due_at`` is None if nothing is promised. ``dialled``: the customer called at ``at`` and was
    spoken to.
    """

    ticket_id: UUID
    at: datetime
    due_at: datetime | None
    owed: bool
    dialled: bool = False
    reopen_within_s: int = 0

    @property
    def opening(self) -> LifecycleFact:
        """The fact that begins the ticket's lifecycle."""
        within = timedelta(seconds=self.reopen_within_s)
        return LifecycleFact("accepted", self.at, self.ticket_id, reopen_within=within)


class CallbackEvent(NamedTuple):
    """An event about a ticket; copies of it have the same ``id``."""

    id: UUID
    ticket_id: UUID
    at: datetime
    kind: FactKind

    @property
    def lifecycle_fact(self) -> LifecycleFact:
        """The event as a fact of the ticket's lifecycle."""
        return LifecycleFact(self.kind, self.at, self.id)


class Attempt(NamedTuple):
    """One dial of a number by a specialist, and its outcome."""

    id: UUID
    ticket_id: UUID
    at: datetime
    specialist_id: str
    outcome: AttemptOutcome


class Settlement(NamedTuple):
    """A conversation with the customer, which the fact ``id`` reports on the ticket ``on``."""

    at: datetime
    id: UUID
    on: UUID
    how: Contact


@dataclass(frozen=True, slots=True)
class Call:
    """The requests that one call answers, earliest first, and the attempts.

    ``open`` are the tickets that wait for the call; ``settled`` has, for tickets that it answered,
    the conversation. Tickets in neither were answered or closed in another way. ``planned_at`` is
    when to dial next, None if no dial is planned.
    """

    requests: tuple[CallbackRequest, ...]
    attempts: tuple[Attempt, ...]
    open: tuple[UUID, ...]
    settled: Mapping[UUID, Settlement]
    due_at: datetime | None
    planned_at: datetime | None
    over_at: datetime | None
    """When the last ticket stopped waiting for it; None while any waits."""

    @property
    def next_attempt(self) -> int:
        """The number of the next attempt, from 1."""
        return len(self.attempts) + 1


def calls_of(
    facts: Iterable[CallbackRequest | CallbackEvent | Attempt], rule: RedialRule
) -> list[Call]:
    """Return the calls of a number's ledger, from the first to the latest."""
    facts = set(facts)
    requests = sorted(f for f in facts if isinstance(f, CallbackRequest))
    events = [f for f in facts if isinstance(f, CallbackEvent)]
    attempts = sorted((f for f in facts if isinstance(f, Attempt)), key=lambda a: (a.at, a.id))
    contacts = sorted([*_spoken(requests), *_reached(events), *_answered(attempts)])
    owed = sorted((w for w in requests if w.owed), key=lambda w: (w.at, w.ticket_id))
    over = {w.ticket_id: _over_at(w, contacts, events) for w in owed}
    groups: list[list[CallbackRequest]] = []
    for request in owed:
        if groups and any(_is_open(over[m.ticket_id], request.at) for m in groups[-1]):
            groups[-1].append(request)
        else:
            groups.append([request])
    ends = [group[0].at for group in groups[1:]]
    return [
        _call(group, [a for a in attempts if _within(a.at, group, end)], contacts, over, rule)
        for group, end in zip_longest(groups, ends)
    ]


def _spoken(requests: Iterable[CallbackRequest]) -> Iterable[Settlement]:
    return (Settlement(w.at, w.ticket_id, w.ticket_id, "dialled") for w in requests if w.dialled)


def _reached(events: Iterable[CallbackEvent]) -> Iterable[Settlement]:
    return (Settlement(t.at, t.id, t.ticket_id, "reached") for t in events if t.kind == "reached")


def _answered(attempts: Iterable[Attempt]) -> Iterable[Settlement]:
    answered = (a for a in attempts if a.outcome == "answered")
    return (Settlement(a.at, a.id, a.ticket_id, "answered") for a in answered)


def _over_at(
    request: CallbackRequest, contacts: Sequence[Settlement], events: Iterable[CallbackEvent]
) -> datetime | None:
    """Return when the request was answered, or its ticket ended; None while a call is owed."""
    settled = [c.at for c in contacts if c.at >= request.at][:1]
    ordered = ordered_facts(
        [request.opening, *(t.lifecycle_fact for t in events if t.ticket_id == request.ticket_id)]
    )
    after = list(lifecycle_steps(ordered))
    answered = [f.at for f, life in zip(ordered, after, strict=True) if life.answered][:1]
    ends = [end.at for end in (after[-1].closed, after[-1].ended) if end is not None]
    return min([*settled, *answered, *ends], default=None)


def _is_open(over_at: datetime | None, at: datetime) -> bool:
    return over_at is None or over_at > at


def _within(at: datetime, group: Sequence[CallbackRequest], end: datetime | None) -> bool:
    return group[0].at <= at and (end is None or at < end)


def _call(
    requests: Sequence[CallbackRequest],
    attempts: Sequence[Attempt],
    contacts: Sequence[Settlement],
    over: Mapping[UUID, datetime | None],
    rule: RedialRule,
) -> Call:
    ends = [over[request.ticket_id] for request in requests]
    waiting = [request for request in requests if over[request.ticket_id] is None]
    settled = {}
    for request in requests:
        first = next((c for c in contacts if c.at >= request.at), None)
        if first is not None and first.at == over[request.ticket_id]:
            settled[request.ticket_id] = first
    due_at, planned_at = _plan(waiting, attempts, rule)
    return Call(
        requests=tuple(requests),
        attempts=tuple(attempts),
        open=tuple(request.ticket_id for request in waiting),
        settled=settled,
        due_at=due_at,
        planned_at=planned_at,
        over_at=None if waiting else max(at for at in ends if at is not None),
    )


def _plan(
    waiting: Sequence[CallbackRequest], attempts: Sequence[Attempt], rule: RedialRule
) -> tuple[datetime | None, datetime | None]:
    """Return when the call is due, and when to dial next within the time left; None for neither."""
    if not waiting:
        return None, None
    asked_at = max(request.at for request in waiting)
    tried = [attempt for attempt in attempts if attempt.at >= asked_at]
    since = tried[-1].at if tried else asked_at
    dues = [request.due_at for request in waiting if request.due_at is not None]
    due_at = min((due for due in dues if due > since), default=max(dues, default=None))
    if not tried:
        return due_at, asked_at
    share = rule.again_after.get(tried[-1].outcome)
    if share is None or len(tried) >= rule.attempts_max or due_at is None or due_at <= since:
        return due_at, None
    return due_at, since + (due_at - since) * share
