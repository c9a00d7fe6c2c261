"""Reconstructs what was announced about a ticket, from its facts in the order of their arrival."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from sla_monitor.domain.announce import Announced, ClockUpdate, announce_due, update_clock, withdraw
from sla_monitor.domain.clock import Clock, Fact, Key
from sla_monitor.domain.derive import ExceptionOf, derive

__all__ = ["Learned", "Replayed", "replay"]


@dataclass(frozen=True, slots=True)
class Learned:
    """A fact, and when it arrived at sla-monitor."""

    fact: Fact
    learned_at: datetime


class Replayed(NamedTuple):
    """An announcement about a clock, and the earliest time when it could be published."""

    key: Key
    announced: Announced
    learned_at: datetime


def replay(
    known: Iterable[Learned], *, now: datetime, exception_of: ExceptionOf
) -> Iterator[Replayed]:
    """Apply the facts in the order of arrival, and announce what became due between them."""
    clocks: dict[Key, Clock] = {}
    facts: list[Fact] = []
    for one in sorted(known, key=attrgetter("learned_at")):
        yield from _pass_time(clocks, one.learned_at)
        facts.append(one.fact)
        for outcome in _fold(clocks, facts, one, exception_of):
            yield from _keep(clocks, outcome, one.learned_at)
    yield from _pass_time(clocks, now)


def _fold(
    clocks: dict[Key, Clock], facts: Sequence[Fact], one: Learned, exception_of: ExceptionOf
) -> Iterator[ClockUpdate]:
    derived = {clock.key: clock for clock in derive(facts, exception_of)}
    for key, new in derived.items():
        yield update_clock(clocks.get(key), new, one.fact, now=one.learned_at)
    for gone in [clock for key, clock in clocks.items() if key not in derived]:
        yield withdraw(gone, one.fact)


def _pass_time(clocks: dict[Key, Clock], until: datetime) -> Iterator[Replayed]:
    for key in list(clocks):
        while (at := clocks[key].next_at()) is not None and at <= until:
            yield from _keep(clocks, announce_due(clocks[key], now=at), at)


def _keep(clocks: dict[Key, Clock], outcome: ClockUpdate, at: datetime) -> Iterator[Replayed]:
    clocks[outcome.clock.key] = outcome.clock
    for announced in outcome.announced:
        yield Replayed(outcome.clock.key, announced, at)
