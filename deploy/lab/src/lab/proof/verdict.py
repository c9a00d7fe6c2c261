"""Verifies that nothing was lost or doubled: compares sent, published and stored."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid5

from lab.proof.due_facts import due_facts
from lab.proof.published import Published, PublishedFacts
from lab.proof.tables import DatabaseState
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

__all__ = ["Verdict", "fact_id", "verify"]

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
_NOTIFIED: Final = (TicketAssigned.type, ClockWarned.type, *_BROKEN, PromiseRetracted.type)
_RELEASED: Final = (AssignmentReleased.type, TicketDeclined.type, AssignmentHandedBack.type)
_DELIVERED: Final = {"sent": NotificationSent.type, "failed": NotificationFailed.type}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was lost and what was doubled, one fault per line; without a fault both are empty."""

    lost: Sequence[str]
    doubled: Sequence[str]


def verify(
    documents: Iterable[Inbound], published: PublishedFacts, state: DatabaseState
) -> Verdict:
    """Verify a run that has no work left. Copies among the documents count once."""
    facts = list(published.facts.values())
    lost = [
        *_documents_lost(due_facts(documents, state.tickets), published),
        *_tickets_lost(published, state),
        *_clocks_lost(published, state),
        *_mails_lost(facts, state),
    ]
    doubled = [
        *published.contradictions,
        *_assigned_twice(facts),
        *_published_twice(facts),
        *_broken_twice(facts),
    ]
    return Verdict(lost, doubled)


def fact_id(document: Inbound) -> UUID:
    """Return the id of the fact on ``tickets.v1`` that a document must lead to."""
    return uuid5(document.document_id, _kind_of(document).type)


def _kind_of(document: Inbound) -> type[Event]:
    return _FACTS[document.type] if isinstance(document, LaterFact) else TicketAccepted


def _documents_lost(documents: Iterable[Inbound], published: PublishedFacts) -> Iterator[str]:
    """Find documents that must be facts, but are not on tickets.v1 under the derived id."""
    for document in documents:
        if fact_id(document) not in published.facts:
            kind = _kind_of(document).type
            yield f"{kind} of {document.source} {document.external_id} was not published"


def _tickets_lost(published: PublishedFacts, state: DatabaseState) -> Iterator[str]:
    """Find tickets that intake, router or sla-monitor lacks, and unpublished assignments."""
    assigned = Counter(fact.ticket for fact in published.of_type(TicketAssigned.type))
    routed = {str(ticket.ticket_id): ticket for ticket in state.routed}
    timed = {str(clock.ticket_id) for clock in state.clocks}
    kept = {str(ticket_id) for ticket_id in state.tickets}
    for fact in published.of_type(TicketAccepted.type):
        for place, known in (("intake", kept), ("router", routed), ("sla-monitor", timed)):
            if fact.ticket not in known:
                yield f"ticket {fact.ticket} is not in the database of {place}"
    for name, ticket in routed.items():
        if assigned[name] != ticket.assigned_count:
            count = ticket.assigned_count
            yield f"ticket {name} was assigned {count}x, published {assigned[name]}x"


def _clocks_lost(published: PublishedFacts, state: DatabaseState) -> Iterator[str]:
    """Find clocks in the table whose start, meeting or breach was not published."""
    started = {_clock(fact) for fact in published.of_type(ClockStarted.type)}
    met = {_clock(fact) for fact in published.of_type(ClockMet.type)}
    for clock in state.clocks:
        name = (str(clock.ticket_id), clock.kind)
        if name not in started:
            yield f"the start of clock {name} was not published"
        if clock.state == "met" and name not in met:
            yield f"that clock {name} was met was not published"
        if clock.broken_id is not None and clock.broken_id not in published.facts:
            yield f"that clock {name} was {clock.broken} was not published"


def _mails_lost(facts: Sequence[Published], state: DatabaseState) -> Iterator[str]:
    """Find facts without a delivery, by their number, and deliveries with unpublished outcomes."""
    counts = Counter(fact.type for fact in facts)
    planned = sum(counts[kind] for kind in _NOTIFIED)
    if len(state.deliveries) < planned:
        yield f"{planned} facts need deliveries, but {len(state.deliveries)} were planned"
    done = {(fact.type, fact.about["delivery_id"]) for fact in facts if "delivery_id" in fact.about}
    for delivery_id, outcome in state.deliveries.items():
        if (_DELIVERED.get(outcome), str(delivery_id)) not in done:
            yield f"delivery {delivery_id} is {outcome}, but its outcome was not published"


def _assigned_twice(facts: Sequence[Published]) -> Iterator[str]:
    """Find tickets that were assigned while a specialist still had them."""
    holder: dict[str, str | None] = {}
    for fact in facts:
        if fact.type == TicketAssigned.type:
            if holder.get(fact.ticket) is not None:
                yield f"ticket {fact.ticket} was assigned while {holder[fact.ticket]} had it"
            holder[fact.ticket] = fact.about["specialist_id"]
        elif fact.type in _RELEASED:
            holder[fact.ticket] = None


def _published_twice(facts: Sequence[Published]) -> Iterator[str]:
    """Find tickets accepted, clocks started and deliveries completed more than once."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for fact in facts:
        if fact.type == TicketAccepted.type:
            seen[fact.type, fact.ticket, ""] += 1
        elif fact.type == ClockStarted.type:
            seen[fact.type, *_clock(fact)] += 1
        elif fact.type in _DELIVERED.values():
            seen["delivery", fact.ticket, fact.about["delivery_id"]] += 1
    for (kind, ticket, which), times in seen.items():
        if times > 1:
            yield f"{kind} {which} of ticket {ticket} was published under {times} ids"


def _broken_twice(facts: Sequence[Published]) -> Iterator[str]:
    """Find promises that broke again without a retraction of the earlier breach."""
    broken: Counter[tuple[str, str]] = Counter()
    for fact in facts:
        if fact.type in _BROKEN:
            broken[_clock(fact)] += 1
        elif fact.type == PromiseRetracted.type:
            broken[_clock(fact)] -= 1
    for clock, times in broken.items():
        if times > 1:
            yield f"clock {clock} was broken {times}x"


def _clock(fact: Published) -> tuple[str, str]:
    kind, cycle = fact.about["kind"], fact.about.get("cycle")
    return fact.ticket, kind if cycle is None else f"{kind}/{cycle}"
