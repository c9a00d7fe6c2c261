"""A person is forgotten, in one transaction: what they wrote, and who they were."""

from datetime import datetime
from uuid import uuid5

from intake import service, webhooks
from intake.domain import receipts
from intake.erasure import letters
from intake.store import erasure as erasure_store
from shared.basics.errors import Poison
from shared.events import Envelope, TicketErased
from shared.events.codec import read_headers
from shared.platform import dead_letters, outbox
from shared.platform.dead_letters import DeadLetter
from shared.platform.postgres import Tx

__all__ = ["erase"]


async def erase(tx: Tx, source: str, requester_id: str, now: datetime) -> int:
    """Forget a person; each of their tickets says so, and nothing is owed on it any more.

    What is held for them is rejected. A copy that comes later is known by its id, and not kept.
    """
    answered = await erasure_store.erase_requests(tx, source, requester_id)
    told = [receipts.erased(receipt) for receipt in answered if receipt.outcome == "held"]
    await erasure_store.save_erased(tx, told)
    await outbox.add(tx, [service.announced(receipt.ticket_id, receipt, now) for receipt in told])
    await _drop_letters(tx, source, requester_id)
    erased = await erasure_store.erase_tickets(tx, source, requester_id)
    await erasure_store.erase_words(tx, [*erased, *(receipt.ticket_id for receipt in answered)])
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


async def _drop_letters(tx: Tx, source: str, requester_id: str) -> None:
    """Drop what they sent that could not be read; what is clearly of another source stays."""
    sought = letters.written(requester_id)
    about = [
        letter
        for letter in await dead_letters.containing(tx, sought)
        if letters.has_word(letter, sought) and await _source_of(tx, letter) in (source, None)
    ]
    await dead_letters.delete(tx, about)


async def _source_of(tx: Tx, letter: DeadLetter) -> str | None:
    try:
        hooked = read_headers(letter.headers, webhooks.CONNECTION).get(webhooks.CONNECTION)
    except Poison:
        return None
    if hooked is None:
        return letters.source_of(letter)
    connection = await webhooks.connection(tx, hooked)
    return None if connection is None else connection.mapping.source
