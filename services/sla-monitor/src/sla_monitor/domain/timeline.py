"""A ticket's history: what each fact changed, and what time brought between them.

What a fact changed is told in order of what happened, as if all had been told at once. What time
brought, and what was taken back, is told in order of what was learned: so it was announced.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from shared.events import ClockWarned, PromiseBreached, PromiseMissed, PromiseRetracted
from sla_monitor.domain.change import (
    Broke,
    Cancelled,
    Change,
    Met,
    Moved,
    Passing,
    Repriced,
    Retracted,
    Started,
    Warned,
)
from sla_monitor.domain.clock import Clock, Fact, Key
from sla_monitor.domain.derive import ExceptionOf, derive, no_exception
from sla_monitor.domain.replay import Learned, Said, said

__all__ = ["Entry", "Happened", "Passed", "timeline"]

_SECOND_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Happened:
    """A fact. ``late``: something that happened after it was known before it."""

    at: datetime
    learned_at: datetime
    late: bool
    fact: Fact
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Passed:
    """Time passed. ``late``: it could be known only later, when a fact was learned."""

    at: datetime
    learned_at: datetime
    late: bool
    change: Passing


type Entry = Happened | Passed


def timeline(
    learned: Iterable[Learned], *, now: datetime, exception_of: ExceptionOf = no_exception
) -> list[Entry]:
    """Tell the story in order of what happened; at one instant the facts come first."""
    known = sorted(learned, key=lambda one: (one.fact.time, one.fact.id))
    told = list(said(known, now=now, exception_of=exception_of))
    happened = _happened(known, _retracted(told), exception_of)
    return sorted([*happened, *_passed(told)], key=attrgetter("at"))


def _happened(
    known: Sequence[Learned],
    retracted: Mapping[UUID, Iterable[Retracted]],
    exception_of: ExceptionOf,
) -> Iterator[Happened]:
    """Compare what each prefix of the facts comes to with what the one before came to."""
    before: dict[Key, Clock] = {}
    for number, one in enumerate(known, start=1):
        facts = (each.fact for each in known[:number])
        after = {clock.key: clock for clock in derive(facts, exception_of)}
        changes = (*_changes(before, after), *retracted.get(one.fact.id, ()))
        late = any(
            other.learned_at < one.learned_at and other.fact.time > one.fact.time
            for other in known[number:]
        )
        yield Happened(one.fact.time, one.learned_at, late, one.fact, changes)
        before = after


def _changes(before: Mapping[Key, Clock], after: Mapping[Key, Clock]) -> Iterator[Change]:
    for key, new in after.items():
        old = before.get(key)
        if old is None:
            yield Started(**_whose(new), target_ms=_SECOND_MS * new.target_s)
        elif _terms(old) != _terms(new):
            yield Repriced(
                **_whose(new),
                due_before=old.due_at,
                target_before_ms=_SECOND_MS * old.target_s,
                target_ms=_SECOND_MS * new.target_s,
            )
        if change := _moved(old, new):
            yield change
    for key, gone in before.items():
        if key not in after:
            yield Cancelled(**{**_whose(gone), "due_at": None}, reason="withdrawn")


def _moved(old: Clock | None, new: Clock) -> Change | None:
    """Tell what became of one clock, but for its price; one that starts was running."""
    state = old.state if old else "running"
    due_before = old.due_at if old else new.due_at
    whose = _whose(new)
    match new.state:
        case "met" if state != "met":
            return Met(**whose, in_time=new.is_in_time)
        case "cancelled" if state != "cancelled":
            return Cancelled(**whose, reason=new.cancelled_for or "closed")
        case "paused" if state != "paused":
            return Moved(**whose, change="paused", due_before=due_before)
        case "running" if state != "running":
            return Moved(**whose, change="resumed", due_before=due_before)
        case _ if due_before != new.due_at and old and _terms(old) == _terms(new):
            return Moved(**whose, change="moved", due_before=due_before)
        case _:
            return None


def _whose(clock: Clock) -> dict[str, Any]:
    return {"kind": clock.kind, "started_by": clock.started_by, "due_at": clock.due_at}


def _terms(clock: Clock) -> tuple[object, ...]:
    return clock.severity, clock.target_s, clock.promise_class, clock.exception


def _passed(told: Sequence[Said]) -> Iterator[Passed]:
    events = (one.announced.event for one in told)
    taken_back = {e.retracted_id for e in events if isinstance(e, PromiseRetracted)}
    for one in told:
        if change := _passing(one, taken_back):
            at = one.announced.time
            yield Passed(at, one.learned_at, at < one.learned_at, change)


def _passing(one: Said, taken_back: set[UUID]) -> Passing | None:
    _, kind, started_by = one.key
    match one.announced.event:
        case ClockWarned(due_at=due_at, percent=percent):
            return Warned(kind=kind, started_by=started_by, due_at=due_at, percent=percent)
        case PromiseBreached(due_at=due_at) | PromiseMissed(due_at=due_at) as event:
            return Broke(
                kind=kind,
                started_by=started_by,
                due_at=due_at,
                called="breached" if isinstance(event, PromiseBreached) else "missed",
                taken_back=one.announced.id in taken_back,
            )
        case _:
            return None


def _retracted(told: Iterable[Said]) -> dict[UUID, list[Retracted]]:
    """Tell what each fact took back, by the fact's id."""
    said_due: dict[UUID, datetime] = {}
    retracted: dict[UUID, list[Retracted]] = defaultdict(list)
    for (_, kind, started_by), announced, _ in told:
        match announced.event:
            case PromiseBreached(due_at=due_at) | PromiseMissed(due_at=due_at):
                said_due[announced.id] = due_at
            case PromiseRetracted(fact_id=UUID() as fact_id) as event:
                taken = Retracted(
                    kind=kind,
                    started_by=started_by,
                    said_due_at=said_due[event.retracted_id],
                    retracted=event.retracted,
                    reason=event.reason,
                )
                retracted[fact_id].append(taken)
            case _:
                pass
    return retracted
