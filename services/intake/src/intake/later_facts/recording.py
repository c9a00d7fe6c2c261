"""Records later facts: saves, announces and answers each."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from intake import domain
from intake.domain import KnownTicket, receipts
from intake.later_facts.chain import final_target, merge_chain
from intake.later_facts.merges import record_merge
from intake.store import later_facts as later_store
from intake.store.later_facts import Merge, StoredFact
from shared.events import Envelope, Event, LaterFact, ReceiptIssued
from shared.platform import outbox
from shared.platform.postgres import Tx

__all__ = ["FactReport", "record_facts", "repeated_receipt"]


class FactReport(NamedTuple):
    """A later fact, with the trace of the document that reported it."""

    fact: LaterFact
    traceparent: str | None


async def record_facts(
    tx: Tx, reports: Sequence[FactReport], now: datetime
) -> dict[UUID, ReceiptIssued]:
    """Save and announce new facts; return a receipt for each, by document id.

    A rejected fact is not saved.
    """
    replies = [one for one in reports if one.fact.type == "customer_replied"]
    merges = [one for one in reports if one.fact.type == "merged"]
    plain = [one for one in reports if one.fact.type not in ("customer_replied", "merged")]
    recorded = [_plain(one, domain.event_of(one.fact)) for one in plain]
    await later_store.save_facts(tx, [stored for stored, _ in recorded])
    recorded += await _replies(tx, replies)
    answers = {stored.id: receipt for stored, receipt in recorded}
    await outbox.add(tx, _events_of(recorded, now))
    for one in merges:
        receipt = await record_merge(tx, one.fact, one.traceparent, now)
        answers[one.fact.document_id] = receipt
        if receipt.counts_for is None:  # otherwise `apply_merges` announced it
            event = receipts.receipt_event(one.fact.document_id, receipt, now, one.traceparent)
            await outbox.add(tx, [event])
    return answers


async def repeated_receipt(tx: Tx, fact: LaterFact) -> ReceiptIssued:
    """Return the receipt of a fact that was recorded before."""
    if fact.type == "merged":
        merge = (await later_store.merges_of(tx, [fact.ticket_id])).get(fact.ticket_id)
        if merge is not None and merge.document_id == fact.document_id and not merge.counts:
            return receipts.merge_held(fact)
    return receipts.fact_accepted(fact)


type _Recorded = tuple[StoredFact, ReceiptIssued]


def _events_of(recorded: Iterable[_Recorded], now: datetime) -> Iterable[Envelope[Event]]:
    for stored, receipt in recorded:
        if receipt.outcome == "accepted":
            yield Envelope.caused_by(
                stored.id,
                stored.event,
                source=receipts.SOURCE,
                time=stored.at,
                traceparent=stored.traceparent,
            )
        yield receipts.receipt_event(stored.id, receipt, now, stored.traceparent)


def _plain(one: FactReport, event: Event) -> _Recorded:
    return _stored(one, event), receipts.fact_accepted(one.fact)


def _stored(one: FactReport, event: Event) -> StoredFact:
    fact = one.fact
    return StoredFact(
        fact.document_id, fact.ticket_id, event, fact.occurred_at, fact.body, one.traceparent
    )


async def _replies(tx: Tx, reports: Sequence[FactReport]) -> list[_Recorded]:
    """Record replies; one to a merged ticket counts for the final target unless answered before."""
    if not reports:
        return []
    ticket_ids = {one.fact.ticket_id for one in reports}
    merges = await merge_chain(tx, ticket_ids)
    concerned = [*ticket_ids | {final_target(merges, ticket_id) for ticket_id in ticket_ids}]
    tickets = await later_store.tickets(tx, concerned)
    facts = await later_store.facts(tx, concerned)
    recorded = []
    for one in reports:
        merge = merges.get(one.fact.ticket_id)
        counts_for = one.fact.ticket_id
        if merge is not None and merge.counts and _is_owed(one, merge, tickets, facts):
            counts_for = final_target(merges, counts_for)
        stored, receipt = _reply(one, counts_for, tickets, facts)
        if receipt.outcome == "accepted":
            facts[counts_for].append(_envelope(stored))
        recorded.append((stored, receipt))
    await later_store.save_facts(
        tx, [stored for stored, receipt in recorded if receipt.outcome == "accepted"]
    )
    return recorded


type _Tickets = dict[UUID, KnownTicket]
type _Facts = dict[UUID, list[Envelope[Event]]]


def _is_owed(one: FactReport, merge: Merge, tickets: _Tickets, facts: _Facts) -> bool:
    """Return whether a reply came after the duplicate's merge, or was unanswered at that time."""
    duplicate, fact = one.fact.ticket_id, one.fact
    if fact.occurred_at > merge.occurred_at:
        return True
    reply = _envelope(_stored(one, domain.reply_event(duplicate, duplicate)))
    others = [each for each in [*facts[duplicate], reply] if each.id != merge.document_id]
    life = domain.life_of(tickets[duplicate], others, before=merge.occurred_at)
    return life.unanswered_since is not None


def _reply(one: FactReport, counts_for: UUID, tickets: _Tickets, facts: _Facts) -> _Recorded:
    fact, ticket = one.fact, tickets.get(counts_for)
    stored = _stored(one, domain.reply_event(fact.ticket_id, counts_for))
    if ticket is None:  # the ticket's request is not received yet
        return stored, receipts.fact_accepted(fact)
    if ticket.is_erased or tickets[fact.ticket_id].is_erased:
        return stored, receipts.fact_rejected(fact, "erased")
    life = domain.life_of(ticket, facts[counts_for], before=fact.occurred_at)
    if life.closed is not None and not life.accepts_reply(fact.occurred_at):
        return stored, receipts.fact_rejected(fact, "closed")
    if counts_for == fact.ticket_id:
        return stored, receipts.fact_accepted(fact)
    note = f"the ticket was merged: the reply counts for {ticket.external_id}"
    return stored, receipts.fact_accepted(fact, counts_for=ticket.external_id, note=note)


def _envelope(stored: StoredFact) -> Envelope[Event]:
    return Envelope(stored.id, receipts.SOURCE, stored.at, stored.event)
