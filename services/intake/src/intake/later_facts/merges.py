"""A merge: whether it counts, and what becomes of the duplicate's promise."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid5

from intake import domain
from intake.domain import Opened, receipts
from intake.later_facts.chain import links, merged_at, stays
from intake.store import later_facts as later_store
from intake.store.later_facts import Merge, Saved
from shared.events import Envelope, Event, LaterFact, ReceiptIssued, TicketMerged
from shared.platform import outbox
from shared.platform.postgres import Tx

__all__ = ["settle", "take_merge"]

_WAITS_FOR_ITSELF = "it counts once the request itself has come"


async def take_merge(
    tx: Tx, fact: LaterFact, traceparent: str | None, now: datetime
) -> ReceiptIssued:
    """Let a ticket be merged; what counts for nothing is not kept."""
    refusal, into_is_known = await _judge(tx, fact)
    if refusal is not None:
        return receipts.counts_for_nothing(fact, refusal)
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
    counted = await settle(tx, [duplicate], now)
    if merge.document_id in counted:
        return counted[merge.document_id]
    if not into_is_known:
        return receipts.merge_waits(fact)
    return receipts.noted(fact, note=_WAITS_FOR_ITSELF)


async def _judge(tx: Tx, fact: LaterFact) -> tuple[receipts.FactRefusal | None, bool]:
    """Say why a merge counts for nothing, if it does not, and whether its target is a ticket."""
    duplicate, into = fact.ticket_id, domain.into_of(fact)
    if duplicate == into:
        return "merged_into_itself", True
    if await later_store.merges_of(tx, [duplicate]):
        return "merged_already", True
    found = await links(tx, [into])
    if any(merge.into_id == duplicate for merge in found.values()):
        return "merge_ring", True
    known = await later_store.tickets(tx, [into, stays(found, into)])
    is_erased = any(ticket.is_erased for ticket in known.values())
    return "erased" if is_erased else None, into in known


async def settle(tx: Tx, ticket_ids: Sequence[UUID], now: datetime) -> dict[UUID, ReceiptIssued]:
    """Let merges count that waited for these to be tickets; each is answered, and announced."""
    answers: dict[UUID, ReceiptIssued] = {}
    for merge in await later_store.open_merges(tx, ticket_ids):
        found = await links(tx, [merge.into_id])
        root = stays(found, merge.into_id)
        tickets = await later_store.tickets(tx, [merge.ticket_id, merge.into_id, root])
        if merge.ticket_id not in tickets or merge.into_id not in tickets:
            continue
        await later_store.count_merge(tx, merge.document_id)
        note = await _carry(tx, merge, tickets, root, at=merged_at(found, merge))
        receipt = _receipt(merge, tickets, root, note)
        said = receipts.announced(merge.document_id, receipt, now, merge.traceparent)
        await outbox.add(tx, [said])
        answers[merge.document_id] = receipt
    return answers


async def _carry(
    tx: Tx, merge: Merge, tickets: Mapping[UUID, Opened], root: UUID, *, at: datetime
) -> str | None:
    """Let the ticket that stays owe what the duplicate's customer is owed, from then on.

    What that brings about comes back, in words.
    """
    facts = await later_store.facts(tx, [merge.ticket_id, root])
    duplicate, told = tickets[merge.ticket_id], facts[merge.ticket_id]
    ended = TicketMerged(ticket_id=merge.ticket_id, into=root)
    carried = domain.absorbed(duplicate, told, root, merged_at=merge.occurred_at)
    announced = [
        _fact(merge.document_id, ended, merge.occurred_at, merge.traceparent),
        *([] if duplicate.is_erased else [_fact(merge.document_id, carried, at, None)]),
    ]
    absorbed_id = uuid5(merge.document_id, "absorbed")
    await later_store.save_facts(
        tx,
        [
            Saved(merge.document_id, merge.ticket_id, ended, merge.occurred_at),
            *([] if duplicate.is_erased else [Saved(absorbed_id, root, carried, at)]),
        ],
    )
    for fact in domain.moves(told, merged_at=merge.occurred_at):
        event = domain.moved(fact.event, root)
        await later_store.move(tx, fact.id, event)
        announced.append(_fact(uuid5(fact.id, str(root)), event, fact.time, fact.traceparent))
    await outbox.add(tx, announced)
    stood = domain.life_of(tickets[root], facts[root], before=at)
    if not stood.is_over or duplicate.is_erased or not carried.reopens:
        return None
    return f"{tickets[root].external_id} was {stood.status}: it is open again"


def _receipt(
    merge: Merge, tickets: Mapping[UUID, Opened], root: UUID, note: str | None
) -> ReceiptIssued:
    duplicate = tickets[merge.ticket_id]
    fact = LaterFact(
        source=duplicate.source,
        external_id=duplicate.external_id,
        type="merged",
        occurred_at=merge.occurred_at,
        into=tickets[merge.into_id].external_id,
    )
    return receipts.noted(fact, counts_for=tickets[root].external_id, note=note)


def _fact(cause: UUID, event: Event, at: datetime, traceparent: str | None) -> Envelope[Event]:
    return Envelope.caused_by(
        cause, event, source=receipts.SOURCE, time=at, traceparent=traceparent
    )
