"""Merges: whether one counts, and how the final target takes over the duplicate's promise."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid5

from intake import domain
from intake.domain import KnownTicket, receipts
from intake.later_facts.chain import final_target, merge_chain, merged_at
from intake.store import later_facts as later_store
from intake.store.later_facts import Merge, StoredFact
from shared.events import Envelope, Event, LaterFact, ReceiptIssued, TicketMerged
from shared.platform import outbox
from shared.platform.postgres import Tx

__all__ = ["apply_merges", "record_merge"]

_WAITS_FOR_REQUEST = "it counts once the request itself is received"


async def record_merge(
    tx: Tx, fact: LaterFact, traceparent: str | None, now: datetime
) -> ReceiptIssued:
    """Save a merge, and apply it if both tickets exist; a rejected merge is not saved."""
    refusal, into_is_known = await _check(tx, fact)
    if refusal is not None:
        return receipts.fact_rejected(fact, refusal)
    duplicate = fact.ticket_id
    merge = Merge(
        duplicate,
        domain.into_of(fact),
        fact.document_id,
        fact.occurred_at,
        counts=False,
        traceparent=traceparent,
    )
    await later_store.save_merge(tx, merge)
    counted = await apply_merges(tx, [duplicate], now)
    if merge.document_id in counted:
        return counted[merge.document_id]
    if not into_is_known:
        return receipts.merge_held(fact)
    return receipts.fact_accepted(fact, note=_WAITS_FOR_REQUEST)


async def _check(tx: Tx, fact: LaterFact) -> tuple[receipts.FactRefusal | None, bool]:
    """Return why a merge must be rejected, or None; and whether its target is a known ticket."""
    duplicate, into = fact.ticket_id, domain.into_of(fact)
    if duplicate == into:
        return "merged_into_itself", True
    if await later_store.merges_of(tx, [duplicate]):
        return "merged_already", True
    found = await merge_chain(tx, [into])
    if any(merge.into_id == duplicate for merge in found.values()):
        return "merge_ring", True
    known = await later_store.tickets(tx, [into, final_target(found, into)])
    is_erased = any(ticket.is_erased for ticket in known.values())
    return "erased" if is_erased else None, into in known


async def apply_merges(
    tx: Tx, ticket_ids: Sequence[UUID], now: datetime
) -> dict[UUID, ReceiptIssued]:
    """Apply and announce the merges that waited for these tickets, if both tickets now exist.

    Returns the receipts, by the id of the document that reported the merge.
    """
    answers: dict[UUID, ReceiptIssued] = {}
    for merge in await later_store.open_merges(tx, ticket_ids):
        found = await merge_chain(tx, [merge.into_id])
        target = final_target(found, merge.into_id)
        tickets = await later_store.tickets(tx, [merge.ticket_id, merge.into_id, target])
        if merge.ticket_id not in tickets or merge.into_id not in tickets:
            continue
        await later_store.mark_counted(tx, merge.document_id)
        note = await _transfer_promise(tx, merge, tickets, target, at=merged_at(found, merge))
        receipt = _receipt(merge, tickets, target, note)
        event = receipts.receipt_event(merge.document_id, receipt, now, merge.traceparent)
        await outbox.add(tx, [event])
        answers[merge.document_id] = receipt
    return answers


async def _transfer_promise(
    tx: Tx, merge: Merge, tickets: Mapping[UUID, KnownTicket], target: UUID, *, at: datetime
) -> str | None:
    """Close the duplicate; from ``at`` on, the target owes what the duplicate owed its customer.

    Returns a note when this reopens the target.
    """
    facts = await later_store.facts(tx, [merge.ticket_id, target])
    duplicate, own_facts = tickets[merge.ticket_id], facts[merge.ticket_id]
    ended = TicketMerged(ticket_id=merge.ticket_id, into=target)
    absorbed = domain.absorbed_event(duplicate, own_facts, target, merged_at=merge.occurred_at)
    events = [
        _envelope(merge.document_id, ended, merge.occurred_at, merge.traceparent),
        *([] if duplicate.is_erased else [_envelope(merge.document_id, absorbed, at, None)]),
    ]
    absorbed_id = uuid5(merge.document_id, "absorbed")
    await later_store.save_facts(
        tx,
        [
            StoredFact(merge.document_id, merge.ticket_id, ended, merge.occurred_at),
            *([] if duplicate.is_erased else [StoredFact(absorbed_id, target, absorbed, at)]),
        ],
    )
    for fact in domain.facts_to_move(own_facts, merged_at=merge.occurred_at):
        event = domain.moved_event(fact.event, target)
        await later_store.move_fact(tx, fact.id, event)
        events.append(_envelope(uuid5(fact.id, str(target)), event, fact.time, fact.traceparent))
    await outbox.add(tx, events)
    life = domain.life_of(tickets[target], facts[target], before=at)
    if not life.is_over or duplicate.is_erased or not absorbed.reopens:
        return None
    return f"{tickets[target].external_id} was {life.status}: it is open again"


def _receipt(
    merge: Merge, tickets: Mapping[UUID, KnownTicket], target: UUID, note: str | None
) -> ReceiptIssued:
    duplicate = tickets[merge.ticket_id]
    fact = LaterFact(
        source=duplicate.source,
        external_id=duplicate.external_id,
        type="merged",
        occurred_at=merge.occurred_at,
        into=tickets[merge.into_id].external_id,
    )
    return receipts.fact_accepted(fact, counts_for=tickets[target].external_id, note=note)


def _envelope(cause: UUID, event: Event, at: datetime, traceparent: str | None) -> Envelope[Event]:
    return Envelope.caused_by(
        cause, event, source=receipts.SOURCE, time=at, traceparent=traceparent
    )
