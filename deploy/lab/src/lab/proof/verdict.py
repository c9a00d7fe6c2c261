"""Compares what was sent with what was published and kept: nothing lost, nothing doubled."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from lab.proof.due_facts import due_facts
from lab.proof.tables import Books
from lab.proof.wire import Published, Wire
from shared.events import (
    AssignmentHandedBack,
    AssignmentReleased,
    ClockMet,
    ClockStarted,
    ClockWarned,
    CustomerReached,
    CustomerReplied,
    Event,
    Inbound,
    LaterFact,
    NotificationFailed,
    NotificationSent,
    PromiseBreached,
    PromiseMissed,
    PromiseRetracted,
    TicketAccepted,
    TicketAssigned,
    TicketClosed,
    TicketDeclined,
    TicketMerged,
    TicketNoted,
    TicketReclassified,
    TicketReopened,
    TicketResolved,
    TicketResponded,
    TicketResumed,
    TicketWaiting,
)
from shared.events.requests import FactType

__all__ = ["Verdict", "fact_id", "judge"]

_FACTS: Final[dict[FactType, type[Event]]] = {
    "responded": TicketResponded,
    "customer_replied": CustomerReplied,
    "customer_reached": CustomerReached,
    "waiting": TicketWaiting,
    "resumed": TicketResumed,
    "reclassified": TicketReclassified,
    "resolved": TicketResolved,
    "reopened": TicketReopened,
    "closed": TicketClosed,
    "noted": TicketNoted,
    "merged": TicketMerged,
}
_BROKEN: Final = (PromiseBreached.type, PromiseMissed.type)
_TOLD: Final = (TicketAssigned.type, ClockWarned.type, *_BROKEN, PromiseRetracted.type)
_GIVEN_UP: Final = (AssignmentReleased.type, TicketDeclined.type, AssignmentHandedBack.type)
_SETTLED: Final = {"sent": NotificationSent.type, "failed": NotificationFailed.type}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, a line each; both empty when all is well."""

    lost: Sequence[str]
    doubled: Sequence[str]


def judge(documents: Iterable[Inbound], wire: Wire, books: Books) -> Verdict:
    """Judge a run that has come to rest. Copies among the documents count once."""
    facts = list(wire.facts.values())
    lost = [
        *_documents_lost(due_facts(documents, books.tickets), wire),
        *_tickets_lost(wire, books),
        *_clocks_lost(wire, books),
        *_mails_lost(facts, books),
    ]
    doubled = [
        *wire.contradictions,
        *_assigned_twice(facts),
        *_said_twice(facts),
        *_broken_twice(facts),
    ]
    return Verdict(lost, doubled)


def fact_id(document: Inbound) -> UUID:
    """Name the fact on ``tickets.v1`` that a document must become."""
    return uuid5(document.document_id, _kind_of(document).type)


def _kind_of(document: Inbound) -> type[Event]:
    return _FACTS[document.type] if isinstance(document, LaterFact) else TicketAccepted


def _documents_lost(documents: Iterable[Inbound], wire: Wire) -> Iterator[str]:
    """Each document that must be is a fact on tickets.v1, under the id that follows from it."""
    for document in documents:
        if fact_id(document) not in wire.facts:
            kind = _kind_of(document).type
            yield f"{kind} of {document.source} {document.external_id} was not published"


def _tickets_lost(wire: Wire, books: Books) -> Iterator[str]:
    """Each ticket is known to intake, router and sla-monitor, and is with whom it was given to."""
    assigned = Counter(fact.ticket for fact in wire.of_type(TicketAssigned.type))
    routed = {str(ticket.ticket_id): ticket for ticket in books.routed}
    timed = {str(clock.ticket_id) for clock in books.clocks}
    kept = {str(ticket_id) for ticket_id in books.tickets}
    for fact in wire.of_type(TicketAccepted.type):
        for place, known in (("intake", kept), ("router", routed), ("sla-monitor", timed)):
            if fact.ticket not in known:
                yield f"ticket {fact.ticket} is not in the database of {place}"
    for name, ticket in routed.items():
        if assigned[name] != ticket.assigned_count:
            yield f"ticket {name} was assigned {ticket.assigned_count}x, told {assigned[name]}x"


def _clocks_lost(wire: Wire, books: Books) -> Iterator[str]:
    """Look on the wire for everything that the clocks say was announced."""
    started = {_clock(fact) for fact in wire.of_type(ClockStarted.type)}
    met = {_clock(fact) for fact in wire.of_type(ClockMet.type)}
    for clock in books.clocks:
        name = (str(clock.ticket_id), clock.kind)
        if name not in started:
            yield f"the start of clock {name} was not published"
        if clock.state == "met" and name not in met:
            yield f"that clock {name} was met was not published"
        if clock.broken_id is not None and clock.broken_id not in wire.facts:
            yield f"that clock {name} was {clock.broken} was not published"


def _mails_lost(facts: Sequence[Published], books: Books) -> Iterator[str]:
    """Who is to be told has a delivery, and what became of each delivery is on the wire."""
    told = Counter(fact.type for fact in facts)
    planned = sum(told[kind] for kind in _TOLD)
    if len(books.deliveries) < planned:
        yield f"{planned} facts are to be told, but {len(books.deliveries)} deliveries were planned"
    said = {(fact.type, fact.about["delivery_id"]) for fact in facts if "delivery_id" in fact.about}
    for delivery_id, state in books.deliveries.items():
        if (_SETTLED.get(state), str(delivery_id)) not in said:
            yield f"delivery {delivery_id} is {state}, and nobody said what became of it"


def _assigned_twice(facts: Sequence[Published]) -> Iterator[str]:
    """Nobody is given a ticket that somebody has."""
    holder: dict[str, str | None] = {}
    for fact in facts:
        if fact.type == TicketAssigned.type:
            if holder.get(fact.ticket) is not None:
                yield f"ticket {fact.ticket} was assigned while {holder[fact.ticket]} had it"
            holder[fact.ticket] = fact.about["specialist_id"]
        elif fact.type in _GIVEN_UP:
            holder[fact.ticket] = None


def _said_twice(facts: Sequence[Published]) -> Iterator[str]:
    """Once accepted, once started, once told what became of a delivery."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for fact in facts:
        if fact.type == TicketAccepted.type:
            seen[fact.type, fact.ticket, ""] += 1
        elif fact.type == ClockStarted.type:
            seen[fact.type, *_clock(fact)] += 1
        elif fact.type in _SETTLED.values():
            seen["delivery", fact.ticket, fact.about["delivery_id"]] += 1
    for (kind, ticket, which), times in seen.items():
        if times > 1:
            yield f"{kind} {which} of ticket {ticket} was published under {times} ids"


def _broken_twice(facts: Sequence[Published]) -> Iterator[str]:
    """Find promises broken again though what was said before was never taken back."""
    said: Counter[tuple[str, str]] = Counter()
    for fact in facts:
        if fact.type in _BROKEN:
            said[_clock(fact)] += 1
        elif fact.type == PromiseRetracted.type:
            said[_clock(fact)] -= 1
    for clock, times in said.items():
        if times > 1:
            yield f"clock {clock} was broken {times}x"


def _clock(fact: Published) -> tuple[str, str]:
    kind, cycle = fact.about["kind"], fact.about.get("cycle")
    return fact.ticket, kind if cycle is None else f"{kind}/{cycle}"
