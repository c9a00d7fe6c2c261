"""What was sent, and what must have become of it: the side of the proof that needs no system.

The oracle is written from DOMAIN's table alone. It shares the working calendar with the services
and nothing else: not the pricing, not the fold.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Literal
from uuid import UUID

from lab.demo.day import Sending
from lab.proof.tables import RecordedAction
from shared.events import Inbound, LaterFact, SupportRequest
from shared.sla.calendars import business_week
from shared.sla.promises import Severity

__all__ = ["Ledger", "Outcome", "outcome_of"]

type Outcome = Literal["kept", "breached", "missed", "cancelled"]

_ANSWERS: Final = {"responded", "customer_reached", "resolved"}
_HOUR: Final = timedelta(hours=1)


@dataclass(slots=True)
class Ledger:
    """Every message that was handed over, each document once with the number of its copies."""

    requests: dict[UUID, SupportRequest] = field(default_factory=dict)
    facts: dict[UUID, LaterFact] = field(default_factory=dict)
    copies: Counter[UUID] = field(default_factory=Counter)
    garbage: list[Sending] = field(default_factory=list)

    def write(self, document: Inbound) -> None:
        """Note a document as sent."""
        self.copies[document.document_id] += 1
        if isinstance(document, SupportRequest):
            self.requests[document.document_id] = document
        else:
            self.facts[document.document_id] = document

    @property
    def documents(self) -> list[Inbound]:
        """Everything that was told, each once."""
        return [*self.requests.values(), *self.facts.values()]

    @property
    def doubles(self) -> int:
        """How many messages told nothing new."""
        return self.copies.total() - len(self.copies)

    def outcomes(self, actions: Iterable[RecordedAction]) -> Iterator[tuple[UUID, Outcome]]:
        """Say for each ticket what must have become of its promise.

        What people did at their desks counts as if upstream had told it.
        """
        told: dict[UUID, list[LaterFact]] = {}
        done: dict[UUID, list[RecordedAction]] = {}
        for fact in self.facts.values():
            told.setdefault(fact.ticket_id, []).append(fact)
        for deed in actions:
            done.setdefault(deed.ticket_id, []).append(deed)
        for request in self.requests.values():
            name = request.ticket_id
            said = [fact for deed in done.get(name, ()) for fact in _as_told(request, deed)]
            yield name, outcome_of(request, [*told.get(name, ()), *said])


def _as_told(request: SupportRequest, deed: RecordedAction) -> Iterator[LaterFact]:
    fact = partial(
        LaterFact, source=request.source, external_id=request.external_id, occurred_at=deed.at
    )
    match deed:
        case RecordedAction(kind="respond"):
            yield fact(type="responded")
        case RecordedAction(kind="dial", what="answered"):
            yield fact(type="customer_reached")
        case RecordedAction(kind="reclassify", what=("standard" | "business_critical") as severity):
            yield fact(type="reclassified", severity=severity)
        case _:
            pass  # it says where a ticket is, not how its promise stands


def outcome_of(request: SupportRequest, facts: Iterable[LaterFact]) -> Outcome:
    """Judge one request by what was told of it; what was never answered is broken in the end."""
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
