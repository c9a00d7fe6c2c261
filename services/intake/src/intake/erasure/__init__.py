"""Erases a requester's data in one transaction: texts, identity, held requests, dead letters."""

from datetime import datetime
from uuid import uuid5

from intake import service, webhooks
from intake.domain import receipts
from intake.erasure import matching
from intake.store import erasure as erasure_store
from shared.basics.errors import Poison
from shared.events import Envelope, TicketErased
from shared.events.codec import read_headers
from shared.platform import dead_letters, outbox
from shared.platform.dead_letters import DeadLetter
from shared.platform.postgres import Tx

__all__ = ["erase"]


async def erase(tx: Tx, source: str, requester_id: str, now: datetime) -> int:
    """Erase a requester's data; return the number of erased tickets.

    Announces each ticket as erased, which ends its promises, and rejects the requester's held
    requests. A copy of an erased request that arrives later is recognised by its id, and is not
    saved.
    """
    answered = await erasure_store.erase_requests(tx, source, requester_id)
    rejected = [receipts.erased(receipt) for receipt in answered if receipt.outcome == "held"]
    await erasure_store.save_erased(tx, rejected)
    await outbox.add(tx, [service.receipt_event(r.ticket_id, r, now) for r in rejected])
    await _drop_dead_letters(tx, source, requester_id)
    erased = await erasure_store.erase_tickets(tx, source, requester_id)
    await erasure_store.erase_later_texts(tx, [*erased, *(r.ticket_id for r in answered)])
    facts = [TicketErased(ticket_id=ticket_id) for ticket_id in erased]
    await outbox.add(
        tx,
        [
            Envelope.caused_by(
                uuid5(fact.ticket_id, "erased"), fact, source=service.SOURCE, time=now
            )
            for fact in facts
        ],
    )
    return len(facts)


async def _drop_dead_letters(tx: Tx, source: str, requester_id: str) -> None:
    """Delete dead letters that mention the requester, except those known to be of other sources."""
    ids = matching.encodings_of(requester_id)
    found = [
        dead_letter
        for dead_letter in await dead_letters.containing(tx, ids)
        if matching.mentions(dead_letter, ids)
        and await _source_of(tx, dead_letter) in (source, None)
    ]
    await dead_letters.delete(tx, found)


async def _source_of(tx: Tx, dead_letter: DeadLetter) -> str | None:
    try:
        name = read_headers(dead_letter.headers, webhooks.CONNECTION).get(webhooks.CONNECTION)
    except Poison:
        return None
    if name is None:
        return matching.source_of(dead_letter)
    connection = await webhooks.connection(tx, name)
    return None if connection is None else connection.mapping.source
