"""The timeline of a ticket: what each fact changed, and which warnings and breaches came between.

The changes by facts are computed in the order in which the facts occurred, as if all had arrived in
time. Warnings, breaches and retractions are replayed in the order of arrival, as announced.
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
from sla_monitor.domain.replay import Learned, Replayed, replay

__all__ = ["Entry", "FactApplied", "TimePassed", "timeline"]

_SECOND_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class FactApplied:
    """A fact and its changes; ``late`` if a fact that occurred later had arrived earlier."""

    at: datetime
    learned_at: datetime
    late: bool
    fact: Fact
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class TimePassed:
    """A warning point or due time that passed. ``late``: a fact revealed this only later."""

    at: datetime
    learned_at: datetime
    late: bool
    change: Passing


type Entry = FactApplied | TimePassed


def timeline(
    learned: Iterable[Learned], *, now: datetime, exception_of: ExceptionOf = no_exception
) -> list[Entry]:
    """Return the entries in order of time; at one instant the facts come first."""
    known = sorted(learned, key=lambda one: (one.fact.time, one.fact.id))
    replayed = list(replay(known, now=now, exception_of=exception_of))
    applied = _applied(known, _retracted(replayed), exception_of)
    return sorted([*applied, *_passed(replayed)], key=attrgetter("at"))


def _applied(
    known: Sequence[Learned],
    retracted: Mapping[UUID, Iterable[Retracted]],
    exception_of: ExceptionOf,
) -> Iterator[FactApplied]:
    """Yield each fact with the changes between the clocks derived without it and with it."""
    before: dict[Key, Clock] = {}
    for number, one in enumerate(known, start=1):
        facts = (each.fact for each in known[:number])
        after = {clock.key: clock for clock in derive(facts, exception_of)}
        changes = (*_changes(before, after), *retracted.get(one.fact.id, ()))
        late = any(
            other.learned_at < one.learned_at and other.fact.time > one.fact.time
            for other in known[number:]
        )
        yield FactApplied(one.fact.time, one.learned_at, late, one.fact, changes)
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
    """Return how a clock's state or due time changed; a new clock is compared to a running one."""
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


def _passed(replayed: Sequence[Replayed]) -> Iterator[TimePassed]:
    events = (one.announced.event for one in replayed)
    taken_back = {e.retracted_id for e in events if isinstance(e, PromiseRetracted)}
    for one in replayed:
        if change := _passing(one, taken_back):
            at = one.announced.time
            yield TimePassed(at, one.learned_at, at < one.learned_at, change)


def _passing(one: Replayed, taken_back: set[UUID]) -> Passing | None:
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


def _retracted(replayed: Iterable[Replayed]) -> dict[UUID, list[Retracted]]:
    """Return the retractions by the id of the fact that caused them."""
    due_at_of: dict[UUID, datetime] = {}
    retracted: dict[UUID, list[Retracted]] = defaultdict(list)
    for (_, kind, started_by), announced, _ in replayed:
        match announced.event:
            case PromiseBreached(due_at=due_at) | PromiseMissed(due_at=due_at):
                due_at_of[announced.id] = due_at
            case PromiseRetracted(fact_id=UUID() as fact_id) as event:
                taken = Retracted(
                    kind=kind,
                    started_by=started_by,
                    said_due_at=due_at_of[event.retracted_id],
                    retracted=event.retracted,
                    reason=event.reason,
                )
                retracted[fact_id].append(taken)
            case _:
                pass
    return retracted
