"""A ticket's story: the set of its facts, put in order and read once."""

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

__all__ = ["Asks", "Demand", "Moment", "Story", "Wait", "read", "union"]

type Asks = Literal["first", "next", "solution"]
"""What the customer wants: a first answer to a request, the next one, or the problem solved."""

_CORRECTIONS: Final = frozenset({TicketReclassified, SeverityReclassified, TicketAbsorbed})
_ANSWERS: Final = frozenset[FactKind]({"responded", "reached", "resolved"})


@dataclass(frozen=True, slots=True)
class Wait:
    """A span in which the ticket waits for somebody outside."""

    waits_for: Cause
    span: Pause


class Moment(NamedTuple):
    """A fact, what the ticket's life takes of it, and how the ticket stands after it."""

    fact: Fact
    said: LifecycleFact
    life: TicketLife


class Demand(NamedTuple):
    """What the customer is owed: since the fact of that id, and what settled it, if it is.

    A fact is named by what it says, so that a copy of it changes nothing. What does not ``recur``
    is asked for by the request.
    """

    asks: Asks
    by: UUID
    at: datetime
    answer: Fact | None
    recurs: bool = False


@dataclass(frozen=True)
class Story:
    """``moments`` are in order of time, those of one instant by id, and end with the ticket."""

    accepted: TicketAccepted
    opened: Fact
    moments: Sequence[Moment]
    ended: Fact | None
    """The merge or the erasure after which nothing counts."""

    @property
    def facts(self) -> Iterator[Fact]:
        """The facts that count."""
        return (moment.fact for moment in self.moments)

    @property
    def severity(self) -> Severity:
        """The severity as last corrected."""
        return self.severity_before(None)

    @cached_property
    def closed_by(self) -> Fact | None:
        """The closing after which it was not brought back."""
        return self._that_says(self.moments[-1].life.closed)

    @cached_property
    def resolved_by(self) -> Fact | None:
        """The solution after which it was not brought back."""
        return self._that_says(self.moments[-1].life.resolved)

    @cached_property
    def closures(self) -> list[Pause]:
        """The spans from a closing until it was brought back."""
        return self._spans(lambda life: life.closed is not None)

    @cached_property
    def solutions(self) -> list[Pause]:
        """The spans from a solution or a closing until it was brought back."""
        return self._spans(lambda life: life.closed is not None or life.resolved is not None)

    @cached_property
    def waits(self) -> list[Wait]:
        """The spans in which it waits for each."""
        causes = {m.life.waiting_for for m in self.moments}
        return [
            Wait(cause, span) for cause in CAUSES if cause in causes for span in self._waits(cause)
        ]

    @cached_property
    def demands(self) -> list[Demand]:
        """What the customer ever was owed, and what settled it."""
        first, *later = _exchanges(self.moments)
        solved = Demand("solution", first.by, first.at, self.resolved_by)
        return [self._dated(first), *later, self._dated(solved)]

    def end_of(self, demand: Demand) -> Fact | None:
        """Find what settled it: an answer; without one, what is over is owed nothing more."""
        return demand.answer or self.ended or self.closed_by

    def severity_before(self, settled: Fact | None) -> Severity:
        """Say how severe it was before a fact settled something: later corrections come too late.

        Without one, how severe it is.
        """
        severity = self.accepted.severity
        for fact in self._before(settled) if self._is_corrected else ():
            if isinstance(fact.event, TicketReclassified | SeverityReclassified):
                severity = fact.event.severity
        return severity

    @cached_property
    def _is_corrected(self) -> bool:
        """Whether anything ever changed what is promised."""
        return any(type(fact.event) in _CORRECTIONS for fact in self.facts)

    def _dated(self, demand: Demand) -> Demand:
        """Let what the request asks for run from the create date of a duplicate that is older.

        As with the severity, only of one that was merged while it was owed.
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

    def _that_says(self, said: LifecycleFact | None) -> Fact | None:
        return next((m.fact for m in self.moments if m.said is said), None)

    def _spans(self, lasts: Callable[[TicketLife], bool]) -> list[Pause]:
        """List the spans in which something holds of the ticket."""
        spans: list[Pause] = []
        since: datetime | None = None
        for fact, _, life in self.moments:
            if lasts(life):
                since = since or fact.time
            elif since is not None:
                spans.append(Pause(since, fact.time))
                since = None
        return spans if since is None else [*spans, Pause(since, None)]


def read(facts: Iterable[Fact]) -> Story | None:
    """Read the facts in order; None before the request is accepted."""
    said_by = [(fact_of(fact), fact) for fact in facts]
    by_id = {said.id: fact for said, fact in said_by}
    ordered = ordered_facts(said for said, _ in said_by)
    if not ordered:
        return None
    told = [_dated(by_id[said.id], said.at) for said in ordered]
    moments = list(map(Moment, told, ordered, lifecycle_steps(ordered)))
    counted = list(takewhile(lambda moment: moment.life.ended is None, moments))
    opened = told[0]
    assert isinstance(opened.event, TicketAccepted)  # noqa: S101 - in_order puts it first
    ended = told[len(counted)] if len(counted) < len(told) else None
    return Story(opened.event, opened, counted, ended)


def union(pauses: Iterable[Pause]) -> list[Pause]:
    """Put spans in order and merge those that meet."""
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


def _exchanges(moments: Sequence[Moment]) -> Iterator[Demand]:
    """Pair words with answers: what is added before one is covered by what is owed already.

    A duplicate's word reaches the ticket when it is merged: only what is said after that answers
    it. Its request is owed a first response still, whatever was answered here.
    """
    opened = moments[0].said
    owed: dict[Asks, Demand] = {"first": Demand("first", opened.id, opened.at, None)}
    answered = False
    for fact, said, life in moments[1:]:
        if said.kind in _ANSWERS:
            yield from (one._replace(answer=fact) for one in owed.values())
            owed, answered = {}, True
        elif said.kind == "replied" and life.closed is None and not owed:
            owed = {"next": Demand("next", said.id, said.at, None, recurs=True)}
        elif isinstance(fact.event, TicketAbsorbed) and fact.event.owed_since and answered:
            asks: Asks = "first" if fact.event.owed_since == fact.event.create_date else "next"
            at = min(fact.event.owed_since, fact.time)
            before = owed.get(asks, Demand(asks, said.id, at, None, recurs=True))
            owed[asks] = before._replace(at=min(at, before.at))
    yield from owed.values()
