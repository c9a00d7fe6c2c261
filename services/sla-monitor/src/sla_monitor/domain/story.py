"""A ticket's story: the set of its facts, put in order and read once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.events import (
    AssignmentResponded,
    CallbackSettled,
    CustomerReached,
    CustomerReplied,
    Event,
    SeverityReclassified,
    TicketAbsorbed,
    TicketAccepted,
    TicketClosed,
    TicketErased,
    TicketMerged,
    TicketReclassified,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
)
from shared.promises import Pause, Severity
from sla_monitor.domain.clock import Fact

__all__ = ["Story", "Wait", "read", "union"]

type WaitsFor = Literal["customer", "vendor", "other"]
_ANSWERS = (
    TicketResponded,
    AssignmentResponded,
    CustomerReached,
    CallbackSettled,
    TicketResolved,
)
_ENDS = (TicketMerged, TicketErased)


@dataclass(frozen=True, slots=True)
class Wait:
    """A span in which the ticket waits for somebody outside."""

    waits_for: WaitsFor
    span: Pause


@dataclass(frozen=True, slots=True)
class Story:
    """``facts`` are in order of time, those of one instant by id, and end with the ticket.

    Promises run from ``since``: the create date, or that of a duplicate that came before.
    """

    accepted: TicketAccepted
    opened: Fact
    since: datetime
    facts: Sequence[Fact]
    severity: Severity
    waits: Sequence[Wait]
    ended: Fact | None
    """The merge or the erasure after which nothing counts."""

    @property
    def answers(self) -> Iterator[Fact]:
        """Whatever answers the customer; a note does not, nor what only repeats another fact."""
        facts = (fact for fact in self.facts if isinstance(fact.event, _ANSWERS))
        return (fact for fact in facts if not _is_echo(fact.event))

    @property
    def closed_by(self) -> Fact | None:
        """The closing after which it was not reopened."""
        return _standing(self.facts, TicketClosed)

    @property
    def resolved_by(self) -> Fact | None:
        """The solution after which it was not reopened."""
        return _standing(self.facts, TicketResolved)

    @property
    def closures(self) -> list[Pause]:
        """The spans from a closing to the reopening."""
        return _gaps(self.facts, (TicketClosed,))

    @property
    def solutions(self) -> list[Pause]:
        """The spans from a solution or a closing to the reopening."""
        return _gaps(self.facts, (TicketClosed, TicketResolved))


def read(facts: Iterable[Fact]) -> Story | None:
    """Read the facts in order; None before the request is accepted."""
    ordered = sorted(facts, key=lambda fact: (fact.time, fact.id))
    opened = next((fact for fact in ordered if isinstance(fact.event, TicketAccepted)), None)
    if opened is None or not isinstance(opened.event, TicketAccepted):
        return None
    ended = next((fact for fact in ordered if isinstance(fact.event, _ENDS)), None)
    counted = ordered if ended is None else ordered[: ordered.index(ended)]
    return Story(
        accepted=opened.event,
        opened=opened,
        since=min([opened.time, *_absorbed(counted)]),
        facts=counted,
        severity=_severity(opened.event, counted),
        waits=list(_waits(counted)),
        ended=ended,
    )


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


def _is_echo(event: Event) -> bool:
    """Tell whether router says of a ticket what upstream told of that very ticket.

    Of two facts of one instant that which came first would count, and no two runs need agree on it.
    """
    if not isinstance(event, CallbackSettled):
        return False
    return event.how == "reached" and event.on == event.ticket_id


def _absorbed(facts: Iterable[Fact]) -> Iterator[datetime]:
    return (f.event.create_date for f in facts if isinstance(f.event, TicketAbsorbed))


def _severity(accepted: TicketAccepted, facts: Iterable[Fact]) -> Severity:
    severity = accepted.severity
    for fact in facts:
        if isinstance(fact.event, TicketReclassified | SeverityReclassified):
            severity = fact.event.severity
    return severity


def _waits(facts: Iterable[Fact]) -> Iterator[Wait]:
    """Read the waits: for somebody else is another wait, and who is waited for may end it."""
    cause: WaitsFor | None = None
    since: datetime | None = None
    for fact in facts:
        goes_on = _waits_for(cause, fact.event)
        if goes_on == cause:
            continue
        if cause is not None and since is not None:
            yield Wait(cause, Pause(since, fact.time))
        cause, since = goes_on, fact.time
    if cause is not None and since is not None:
        yield Wait(cause, Pause(since, None))


def _waits_for(cause: WaitsFor | None, event: Event) -> WaitsFor | None:
    match event:
        case TicketWaiting(waiting_for=waits_for):
            return waits_for
        case TicketResumed() | TicketReopened():
            return None
        case CustomerReplied() if cause == "customer":
            return None
        case _:
            return cause


def _standing(facts: Iterable[Fact], kind: type[Event]) -> Fact | None:
    standing: Fact | None = None
    for fact in facts:
        if isinstance(fact.event, kind):
            standing = standing or fact
        elif isinstance(fact.event, TicketReopened):
            standing = None
    return standing


def _gaps(facts: Iterable[Fact], kinds: tuple[type[Event], ...]) -> list[Pause]:
    gaps: list[Pause] = []
    since: datetime | None = None
    for fact in facts:
        if isinstance(fact.event, kinds):
            since = since or fact.time
        elif isinstance(fact.event, TicketReopened) and since is not None:
            gaps.append(Pause(since, fact.time))
            since = None
    return gaps if since is None else [*gaps, Pause(since, None)]
