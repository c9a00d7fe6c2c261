"""Takes what is told of requests later, and answers it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from intake import domain
from intake.domain import Opened, receipts
from intake.later_facts.chain import links, stays
from intake.later_facts.merges import take_merge
from intake.store import later_facts as later_store
from intake.store.later_facts import Merge, Saved
from shared.events import Envelope, Event, LaterFact, ReceiptIssued
from shared.platform import outbox
from shared.platform.postgres import Tx

__all__ = ["Told", "again", "take"]


class Told(NamedTuple):
    """A fact, and within which trace it was told."""

    fact: LaterFact
    traceparent: str | None


async def take(tx: Tx, told: Sequence[Told], now: datetime) -> dict[UUID, ReceiptIssued]:
    """Keep and announce facts that are new; each is answered, by its document's id.

    What is rejected counts for nothing, and nothing of it is kept.
    """
    replies = [one for one in told if one.fact.type == "customer_replied"]
    merges = [one for one in told if one.fact.type == "merged"]
    plain = [one for one in told if one.fact.type not in ("customer_replied", "merged")]
    taken = [_plainly(one, domain.fact_of(one.fact)) for one in plain]
    await later_store.save_facts(tx, [saved for saved, _ in taken])
    taken += await _replies(tx, replies)
    answers = {saved.id: receipt for saved, receipt in taken}
    await outbox.add(tx, _announced(taken, now))
    for one in merges:
        receipt = await take_merge(tx, one.fact, one.traceparent, now)
        answers[one.fact.document_id] = receipt
        if receipt.counts_for is None:  # else it was announced when it came to count
            said = receipts.announced(one.fact.document_id, receipt, now, one.traceparent)
            await outbox.add(tx, [said])
    return answers


async def again(tx: Tx, fact: LaterFact) -> ReceiptIssued:
    """Say what became of a fact that was taken before."""
    if fact.type == "merged":
        merge = (await later_store.merges_of(tx, [fact.ticket_id])).get(fact.ticket_id)
        if merge is not None and merge.document_id == fact.document_id and not merge.counts:
            return receipts.merge_waits(fact)
    return receipts.noted(fact)


type _Taken = tuple[Saved, ReceiptIssued]


def _announced(taken: Iterable[_Taken], now: datetime) -> Iterable[Envelope[Event]]:
    for saved, receipt in taken:
        if receipt.outcome == "accepted":
            yield Envelope.caused_by(
                saved.id,
                saved.event,
                source=receipts.SOURCE,
                time=saved.at,
                traceparent=saved.traceparent,
            )
        yield receipts.announced(saved.id, receipt, now, saved.traceparent)


def _plainly(one: Told, event: Event) -> _Taken:
    return _saved(one, event), receipts.noted(one.fact)


def _saved(one: Told, event: Event) -> Saved:
    fact = one.fact
    return Saved(
        fact.document_id, fact.ticket_id, event, fact.occurred_at, fact.body, one.traceparent
    )


async def _replies(tx: Tx, told: Sequence[Told]) -> list[_Taken]:
    """Let each reply count for the ticket that stays, unless that is over for good."""
    if not told:
        return []
    ticket_ids = {one.fact.ticket_id for one in told}
    found = await links(tx, ticket_ids)
    concerned = [*ticket_ids | {stays(found, ticket_id) for ticket_id in ticket_ids}]
    tickets = await later_store.tickets(tx, concerned)
    facts = await later_store.facts(tx, concerned)
    taken = []
    for one in told:
        merge = found.get(one.fact.ticket_id)
        counts_for = one.fact.ticket_id
        if merge is not None and merge.counts and _is_owed(one, merge, tickets, facts):
            counts_for = stays(found, counts_for)
        saved, receipt = _reply(one, counts_for, tickets, facts)
        if receipt.outcome == "accepted":
            facts[counts_for].append(_as_fact(saved))
        taken.append((saved, receipt))
    await later_store.save_facts(
        tx, [saved for saved, receipt in taken if receipt.outcome == "accepted"]
    )
    return taken


type _Tickets = dict[UUID, Opened]
type _Facts = dict[UUID, list[Envelope[Event]]]


def _is_owed(one: Told, merge: Merge, tickets: _Tickets, facts: _Facts) -> bool:
    """Tell whether a reply to a duplicate was not answered on it before the merge."""
    duplicate, fact = one.fact.ticket_id, one.fact
    if fact.occurred_at > merge.occurred_at:
        return True
    said = [*facts[duplicate], _as_fact(_saved(one, domain.reply_to(duplicate, duplicate)))]
    before = [each for each in said if each.id != merge.document_id]
    life = domain.life_of(tickets[duplicate], before, before=merge.occurred_at)
    return life.unanswered_since is not None


def _reply(one: Told, counts_for: UUID, tickets: _Tickets, facts: _Facts) -> _Taken:
    fact, ticket = one.fact, tickets.get(counts_for)
    saved = _saved(one, domain.reply_to(fact.ticket_id, counts_for))
    if ticket is None:  # its request is still to come
        return saved, receipts.noted(fact)
    if ticket.is_erased or tickets[fact.ticket_id].is_erased:
        return saved, receipts.counts_for_nothing(fact, "erased")
    life = domain.life_of(ticket, facts[counts_for], before=fact.occurred_at)
    if life.closed is not None and not life.accepts_reply(fact.occurred_at):
        return saved, receipts.counts_for_nothing(fact, "closed")
    if counts_for == fact.ticket_id:
        return saved, receipts.noted(fact)
    note = f"it was merged: the reply counts for {ticket.external_id}, which stays"
    return saved, receipts.noted(fact, counts_for=ticket.external_id, note=note)


def _as_fact(saved: Saved) -> Envelope[Event]:
    return Envelope(saved.id, receipts.SOURCE, saved.at, saved.event)
