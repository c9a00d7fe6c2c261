"""The facts of a ticket in order, with its state after each, and what its customer is owed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from itertools import takewhile
from typing import Final, Literal, NamedTuple
from uuid import UUID

from shared.events import SeverityReclassified, TicketAbsorbed, TicketAccepted, TicketReclassified
from shared.sla.promises import CAUSES, Cause, Pause, Severity
from shared.tickets import (
    FactKind,
    LifecycleFact,
    TicketLife,
    fact_of,
    lifecycle_steps,
    ordered_facts,
)
from sla_monitor.domain.clock import Fact

__all__ = ["Demand", "DemandKind", "FactStep", "TicketFacts", "Wait", "read", "union"]

type DemandKind = Literal["first", "next", "solution"]
"""What the customer is owed: a first response, a next response, or the resolution."""

_CORRECTIONS: Final = frozenset({TicketReclassified, SeverityReclassified, TicketAbsorbed})
_ANSWERS: Final = frozenset[FactKind]({"responded", "reached", "resolved"})


@dataclass(frozen=True, slots=True)
class Wait:
    """A span in which the ticket waits for the customer, a vendor or others."""

    waits_for: Cause
    span: Pause


class FactStep(NamedTuple):
    """A fact, its effect on the lifecycle, and the ticket's state after it."""

    fact: Fact
    effect: LifecycleFact
    life: TicketLife


class Demand(NamedTuple):
    """Something the customer is owed since the fact ``by``, and the fact that answered it, if any.

    ``by`` is derived from the fact's content, so that a copy of the fact changes nothing. A demand
    that ``recurs`` was not made by the request itself.
    """

    asks: DemandKind
    by: UUID
    at: datetime
    answer: Fact | None
    recurs: bool = False


@dataclass(frozen=True)
class TicketFacts:
    """A ticket's facts. ``steps``, sorted by time and id, end before the merge or erasure."""

    accepted: TicketAccepted
    opened: Fact
    steps: Sequence[FactStep]
    ended: Fact | None
    """The merge or erasure; later facts are ignored."""

    @property
    def facts(self) -> Iterator[Fact]:
        """The facts in order of time, without the merge or erasure and what came after it."""
        return (step.fact for step in self.steps)

    @property
    def severity(self) -> Severity:
        """The severity as last corrected."""
        return self.severity_before(None)

    @cached_property
    def closed_by(self) -> Fact | None:
        """The fact that closed the ticket, unless it was reopened afterwards."""
        return self._fact_with(self.steps[-1].life.closed)

    @cached_property
    def resolved_by(self) -> Fact | None:
        """The fact that resolved the ticket, unless it was reopened afterwards."""
        return self._fact_with(self.steps[-1].life.resolved)

    @cached_property
    def closures(self) -> list[Pause]:
        """The spans in which the ticket was closed; the last has no end if it still is."""
        return self._spans(lambda life: life.closed is not None)

    @cached_property
    def solutions(self) -> list[Pause]:
        """The spans in which it was resolved or closed; the last has no end if it still is."""
        return self._spans(lambda life: life.closed is not None or life.resolved is not None)

    @cached_property
    def waits(self) -> list[Wait]:
        """The spans in which the ticket waits, sorted by whom it waits for."""
        causes = {s.life.waiting_for for s in self.steps}
        return [
            Wait(cause, span) for cause in CAUSES if cause in causes for span in self._waits(cause)
        ]

    @cached_property
    def demands(self) -> list[Demand]:
        """Everything the customer was or is owed, with the answers."""
        first, *later = _exchanges(self.steps)
        solved = Demand("solution", first.by, first.at, self.resolved_by)
        return [self._dated(first), *later, self._dated(solved)]

    def end_of(self, demand: Demand) -> Fact | None:
        """Return the fact that settled a demand: its answer, else the merge, erasure or closing."""
        return demand.answer or self.ended or self.closed_by

    def severity_before(self, settled: Fact | None) -> Severity:
        """Return the severity as last corrected before the fact ``settled``.

        With None, return the current severity.
        """
        severity = self.accepted.severity
        for fact in self._before(settled) if self._is_corrected else ():
            if isinstance(fact.event, TicketReclassified | SeverityReclassified):
                severity = fact.event.severity
        return severity

    @cached_property
    def _is_corrected(self) -> bool:
        """Whether a reclassification or a merged duplicate may have changed the promises."""
        return any(type(fact.event) in _CORRECTIONS for fact in self.facts)

    def _dated(self, demand: Demand) -> Demand:
        """Move a demand of the request back to the create date of a merged duplicate that is older.

        Only duplicates count that were merged before the demand was settled.
        """
        if not self._is_corrected:
            return demand
        events = (fact.event for fact in self._before(self.end_of(demand)))
        absorbed = (event.create_date for event in events if isinstance(event, TicketAbsorbed))
        return demand._replace(at=min([demand.at, *absorbed]))

    def _before(self, settled: Fact | None) -> Iterator[Fact]:
        return takewhile(lambda fact: fact is not settled, self.facts)

    def _waits(self, cause: Cause) -> list[Pause]:
        return self._spans(lambda life: life.waiting_for == cause)

    def _fact_with(self, effect: LifecycleFact | None) -> Fact | None:
        return next((s.fact for s in self.steps if s.effect is effect), None)

    def _spans(self, lasts: Callable[[TicketLife], bool]) -> list[Pause]:
        """Return the spans in which ``lasts`` is true of the ticket's state."""
        spans: list[Pause] = []
        since: datetime | None = None
        for fact, _, life in self.steps:
            if lasts(life):
                since = since or fact.time
            elif since is not None:
                spans.append(Pause(since, fact.time))
                since = None
        return spans if since is None else [*spans, Pause(since, None)]


def read(facts: Iterable[Fact]) -> TicketFacts | None:
    """Order the facts and compute the states; None before the request is accepted."""
    effects = [(fact_of(fact), fact) for fact in facts]
    by_id = {effect.id: fact for effect, fact in effects}
    ordered = ordered_facts(effect for effect, _ in effects)
    if not ordered:
        return None
    dated = [_dated(by_id[effect.id], effect.at) for effect in ordered]
    steps = list(map(FactStep, dated, ordered, lifecycle_steps(ordered)))
    counted = list(takewhile(lambda step: step.life.ended is None, steps))
    opened = dated[0]
    assert isinstance(opened.event, TicketAccepted)  # noqa: S101 - ordered_facts puts it first
    ended = dated[len(counted)] if len(counted) < len(dated) else None
    return TicketFacts(opened.event, opened, counted, ended)


def union(pauses: Iterable[Pause]) -> list[Pause]:
    """Sort spans and merge those that overlap or touch."""
    merged: list[Pause] = []
    for pause in sorted(pauses, key=lambda pause: pause.since):
        last = merged[-1] if merged else None
        if last is None or (last.until is not None and last.until < pause.since):
            merged.append(pause)
        elif last.until is not None:
            until = None if pause.until is None else max(last.until, pause.until)
            merged[-1] = Pause(last.since, until)
    return merged


def _dated(fact: Fact, at: datetime) -> Fact:
    return fact if fact.time == at else replace(fact, time=at)


def _exchanges(steps: Sequence[FactStep]) -> Iterator[Demand]:
    """Yield what each customer message demands, with the response that answered it, if any.

    Messages before a response share one demand. A duplicate that is merged after a response makes a
    demand of its own, for the first or next response that its customer was owed: only a response
    after the merge answers it.
    """
    opened = steps[0].effect
    owed: dict[DemandKind, Demand] = {"first": Demand("first", opened.id, opened.at, None)}
    answered = False
    for fact, effect, life in steps[1:]:
        if effect.kind in _ANSWERS:
            yield from (one._replace(answer=fact) for one in owed.values())
            owed, answered = {}, True
        elif effect.kind == "replied" and life.closed is None and not owed:
            owed = {"next": Demand("next", effect.id, effect.at, None, recurs=True)}
        elif isinstance(fact.event, TicketAbsorbed) and fact.event.owed_since and answered:
            asks: DemandKind = (
                "first" if fact.event.owed_since == fact.event.create_date else "next"
            )
            at = min(fact.event.owed_since, fact.time)
            before = owed.get(asks, Demand(asks, effect.id, at, None, recurs=True))
            owed[asks] = before._replace(at=min(at, before.at))
    yield from owed.values()
