"""What was announced of a ticket, played again from its facts in the order they were learned."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from sla_monitor.domain.announce import Announced, Outcome, fall_due, fold, withdraw
from sla_monitor.domain.clock import Clock, Fact, Key
from sla_monitor.domain.derive import ExceptionOf, derive

__all__ = ["Learned", "Said", "said"]


@dataclass(frozen=True, slots=True)
class Learned:
    """A fact, and when it became known here."""

    fact: Fact
    learned_at: datetime


class Said(NamedTuple):
    """What was announced of a clock, and when it could first be known."""

    key: Key
    announced: Announced
    learned_at: datetime


def said(known: Iterable[Learned], *, now: datetime, exception_of: ExceptionOf) -> Iterator[Said]:
    """Fold the facts as they were learned, and let time pass between them and up to ``now``."""
    clocks: dict[Key, Clock] = {}
    facts: list[Fact] = []
    for one in sorted(known, key=attrgetter("learned_at")):
        yield from _let_pass(clocks, one.learned_at)
        facts.append(one.fact)
        for outcome in _fold(clocks, facts, one, exception_of):
            yield from _keep(clocks, outcome, one.learned_at)
    yield from _let_pass(clocks, now)


def _fold(
    clocks: dict[Key, Clock], facts: Sequence[Fact], one: Learned, exception_of: ExceptionOf
) -> Iterator[Outcome]:
    truths = {truth.key: truth for truth in derive(facts, exception_of)}
    for key, truth in truths.items():
        yield fold(clocks.get(key), truth, one.fact, now=one.learned_at)
    for gone in [clock for key, clock in clocks.items() if key not in truths]:
        yield withdraw(gone, one.fact)


def _let_pass(clocks: dict[Key, Clock], until: datetime) -> Iterator[Said]:
    for key in list(clocks):
        while (at := clocks[key].next_at()) is not None and at <= until:
            yield from _keep(clocks, fall_due(clocks[key], now=at), at)


def _keep(clocks: dict[Key, Clock], outcome: Outcome, at: datetime) -> Iterator[Said]:
    clocks[outcome.clock.key] = outcome.clock
    for announced in outcome.announced:
        yield Said(outcome.clock.key, announced, at)
