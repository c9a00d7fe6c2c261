"""Which documents must become facts, and which intake may reject or hold."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from uuid import UUID

from shared.events import Inbound, LaterFact, ticket_id_of

__all__ = ["due_facts"]


def due_facts(documents: Iterable[Inbound], tickets: Collection[UUID]) -> Iterator[Inbound]:
    """Yield the documents that must become facts: all but some merges and replies.

    Left out are merges that have no effect or name an unknown ticket, and replies after a closing:
    the policy decides for how long such a reply still reopens the ticket.
    """
    documents = list(documents)
    known = set(tickets)
    closed: dict[UUID, datetime] = {}
    for fact in documents:
        if isinstance(fact, LaterFact) and fact.type == "closed":
            at = closed.get(fact.ticket_id, fact.occurred_at)
            closed[fact.ticket_id] = min(at, fact.occurred_at)
    into: dict[UUID, UUID] = {}
    for document in documents:
        match document:
            case LaterFact(type="customer_replied"):
                since = closed.get(document.ticket_id)
                if since is None or document.occurred_at < since:
                    yield document
            case LaterFact(type="merged", into=str(name)):
                target = ticket_id_of(document.source, name)
                both_known = {document.ticket_id, target} <= known
                if both_known and not _has_no_effect(into, document.ticket_id, target):
                    into[document.ticket_id] = target
                    yield document
            case _:
                yield document


def _has_no_effect(into: dict[UUID, UUID], ticket_id: UUID, target: UUID) -> bool:
    """Return whether a merge is the second of its ticket, or closes a ring of merges."""
    if ticket_id in into:
        return True
    following: UUID | None = target
    while following is not None:
        if following == ticket_id:
            return True
        following = into.get(following)
    return False
