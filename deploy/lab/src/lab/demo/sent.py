"""The sent messages, and the outcome that each promise must have.

This oracle is independent: it shares only the business calendar with the services; it does not use
their code that chooses targets and derives clocks.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Literal
from uuid import UUID

from lab.demo.day import Message
from lab.proof.tables import RecordedAction
from shared.events import Inbound, LaterFact, SupportRequest
from shared.sla.calendars import business_week
from shared.sla.promises import Severity

__all__ = ["PromiseOutcome", "SentMessages", "outcome_of"]

type PromiseOutcome = Literal["kept", "breached", "missed", "cancelled"]

_ANSWERS: Final = {"responded", "customer_reached", "resolved"}
_HOUR: Final = timedelta(hours=1)


@dataclass(slots=True)
class SentMessages:
    """All sent messages: each document once, with its number of copies, and the bad messages."""

    requests: dict[UUID, SupportRequest] = field(default_factory=dict)
    facts: dict[UUID, LaterFact] = field(default_factory=dict)
    copies: Counter[UUID] = field(default_factory=Counter)
    bad_messages: list[Message] = field(default_factory=list)

    def add(self, document: Inbound) -> None:
        """Record a sent document."""
        self.copies[document.document_id] += 1
        if isinstance(document, SupportRequest):
            self.requests[document.document_id] = document
        else:
            self.facts[document.document_id] = document

    @property
    def documents(self) -> list[Inbound]:
        """All sent documents, each once."""
        return [*self.requests.values(), *self.facts.values()]

    @property
    def doubles(self) -> int:
        """The number of repeated messages."""
        return self.copies.total() - len(self.copies)

    def outcomes(self, actions: Iterable[RecordedAction]) -> Iterator[tuple[UUID, PromiseOutcome]]:
        """Return for each ticket the outcome that its promise must have.

        Actions of people in the inbox count like facts from upstream.
        """
        facts: dict[UUID, list[LaterFact]] = {}
        done: dict[UUID, list[RecordedAction]] = {}
        for fact in self.facts.values():
            facts.setdefault(fact.ticket_id, []).append(fact)
        for action in actions:
            done.setdefault(action.ticket_id, []).append(action)
        for request in self.requests.values():
            name = request.ticket_id
            own = [fact for action in done.get(name, ()) for fact in _as_facts(request, action)]
            yield name, outcome_of(request, [*facts.get(name, ()), *own])


def _as_facts(request: SupportRequest, action: RecordedAction) -> Iterator[LaterFact]:
    fact = partial(
        LaterFact, source=request.source, external_id=request.external_id, occurred_at=action.at
    )
    match action:
        case RecordedAction(kind="respond"):
            yield fact(type="responded")
        case RecordedAction(kind="dial", what="answered"):
            yield fact(type="customer_reached")
        case RecordedAction(kind="reclassify", what=("standard" | "business_critical") as severity):
            yield fact(type="reclassified", severity=severity)
        case _:
            pass  # other actions do not affect the promise


def outcome_of(request: SupportRequest, facts: Iterable[LaterFact]) -> PromiseOutcome:
    """Compute a promise's outcome from the ticket's facts: kept, breached, missed or cancelled."""
    ordered = sorted(facts, key=lambda fact: fact.occurred_at)
    due_at = _due_at(request, ordered)
    answered = [fact.occurred_at for fact in ordered if fact.type in _ANSWERS]
    closed = [fact.occurred_at for fact in ordered if fact.type == "closed"]
    if answered and answered[0] <= due_at:
        return "kept"
    if closed and not answered and closed[0] <= due_at:
        return "cancelled"
    is_guarantee = request.channel == "email" and request.role == "super_admin"
    return "breached" if is_guarantee else "missed"


def _due_at(request: SupportRequest, ordered: Iterable[LaterFact]) -> datetime:
    create_date = request.occurred_at
    if request.channel == "phone":
        return create_date + timedelta(minutes=5)
    if request.channel == "chat":
        return create_date + timedelta(minutes=1)
    if request.role == "seat":
        return business_week(request.time_zone).add_business(create_date, 8 * _HOUR)
    severity: Severity = request.severity if request.body else "standard"
    waited, since = timedelta(), create_date
    for fact in ordered:
        severity = fact.severity or severity
        if fact.type == "waiting":
            since = fact.occurred_at
        elif fact.type == "resumed":
            waited += fact.occurred_at - since
    return create_date + waited + (_HOUR if severity == "standard" else _HOUR / 2)
