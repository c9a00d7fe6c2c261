"""A person is forgotten, in one transaction: what they wrote, and who they were."""

from datetime import datetime
from uuid import uuid5

from intake import desk
from intake.domain import receipts
from intake.erasure import store
from shared import outbox
from shared.events import Envelope, TicketErased
from shared.postgres import Tx

__all__ = ["erase"]


async def erase(tx: Tx, source: str, requester_id: str, now: datetime) -> int:
    """Forget a person; each of their tickets says so, and nothing is owed on it any more.

    What is held for them is rejected. A copy that comes later is known by its id, and not kept.
    """
    answered = await store.erase_requests(tx, source, requester_id)
    told = [receipts.erased(receipt) for receipt in answered if receipt.outcome == "held"]
    await store.save_erased(tx, told)
    await outbox.add(tx, [desk.announced(receipt.ticket_id, receipt, now) for receipt in told])
    facts = [TicketErased(ticket_id=x) for x in await store.erase_tickets(tx, source, requester_id)]
    await outbox.add(
        tx,
        [
            Envelope.caused_by(uuid5(fact.ticket_id, "erased"), fact, source=desk.SOURCE, time=now)
            for fact in facts
        ],
    )
    return len(facts)
