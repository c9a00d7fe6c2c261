"""Receives documents from HTTP and Kafka: decides on them, saves them and announces the result.

A document has the same id however it is sent: it is accepted once, and a duplicate gets the same
answer as the first.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, TypeGuard
from uuid import UUID

from intake import accounts, domain, later_facts
from intake.domain import Acceptance, NumberKeys, Version, receipts
from intake.domain.language import decide
from intake.later_facts import FactReport
from intake.store import accounts as account_store
from intake.store import pending_accounts
from intake.store import tickets as ticket_store
from intake.store.tickets import (
    DecidedRequest,
    DecisionInputs,
    PendingRequest,
    ReceivedRequest,
    StoredReceipt,
    Terms,
)
from shared.events import Envelope, Event, Inbound, LaterFact, ReceiptIssued, SupportRequest
from shared.platform import outbox, processed_events
from shared.platform.postgres import Tx

__all__ = [
    "DECIDED_MAX",
    "SOURCE",
    "Document",
    "decide_pending",
    "list_accounts",
    "receipt_event",
    "receive",
    "reject_overdue",
]

SOURCE: Final = receipts.SOURCE
receipt_event = receipts.receipt_event
DECIDED_MAX: Final = 100
"""How many pending requests one transaction decides: each may have 100,000 characters."""
_HOLD_TIME: Final = timedelta(seconds=60)
"""How long a request is held for its account's record, which may arrive later."""
_RETRYABLE: Final = timedelta(hours=24)
"""How long after its arrival a rejected request may still be accepted, if the account changes."""


@dataclass(frozen=True, slots=True)
class Document:
    """A received document. All its copies have the same id, from HTTP or Kafka."""

    content: Inbound
    traceparent: str | None

    @property
    def id(self) -> UUID:
        """The id of the document and of all its copies."""
        return self.content.document_id

    @property
    def claims(self) -> set[UUID]:
        """The ids to claim: the document's own and, for a later fact, the id its sender gave it."""
        sender_id = self.content.claim_id if isinstance(self.content, LaterFact) else None
        return {self.id} if sender_id is None else {self.id, sender_id}


@dataclass(frozen=True, slots=True)
class _Decision:
    """The decision on a request: its receipt, and its ticket if it is accepted."""

    received: ReceivedRequest
    receipt: ReceiptIssued
    acceptance: Acceptance | None = None


async def receive(tx: Tx, documents: Sequence[Document], keys: NumberKeys) -> list[ReceiptIssued]:
    """Accept new documents; return a receipt for each document, in the same order.

    A document with a date in the future, or with a number that cannot be dialled, is not saved:
    it may be sent again under the same id.
    """
    if not documents:
        return []
    if any(_merges(d.content) for d in documents):
        await ticket_store.lock_merges(tx)
    claims = {claim for d in documents for claim in d.claims}
    fresh, now = await ticket_store.lock_and_claim(tx, claims, _accounts_of(documents))
    faults = await _input_faults(tx, documents, now)
    valid = [d for d, fault in zip(documents, faults, strict=True) if fault is None]
    if len(valid) < len(documents):
        await processed_events.release(tx, fresh - {claim for d in valid for claim in d.claims})
    answers = iter(await _receive(tx, valid, fresh, now, keys))
    return [
        next(answers) if fault is None else _rejection(document.content, fault)
        for document, fault in zip(documents, faults, strict=True)
    ]


async def list_accounts(
    tx: Tx, records: Sequence[accounts.AccountRecord], now: datetime, keys: NumberKeys
) -> None:
    """Save accounts, and decide again the held and rejected requests of each.

    One transaction decides up to DECIDED_MAX requests; later transactions decide the rest.
    """
    if not records:
        return
    in_force, answers = await accounts.save(tx, records, now)
    await outbox.add(tx, answers)
    await pending_accounts.add(tx, sorted(in_force), since=now - _RETRYABLE)
    await decide_pending(tx, now, keys)


async def decide_pending(tx: Tx, now: datetime, keys: NumberKeys) -> bool:
    """Decide again up to DECIDED_MAX requests of changed accounts; return whether more may wait."""
    left = DECIDED_MAX
    while left > 0:
        account = await pending_accounts.claim(tx)
        if account is None:
            return False
        account_id = account.account_id
        pending = await ticket_store.pending(tx, account_id, account.done_to, limit=left)
        await _decide_again(tx, pending, now, keys)
        if len(pending) < left:
            await pending_accounts.remove(tx, account_id)
        else:
            last = pending[-1].received
            done_to = (last.received_at, last.request.ticket_id)
            await pending_accounts.advance(tx, account_id, done_to)
        left -= max(len(pending), 1)
    return True


async def reject_overdue(tx: Tx, now: datetime, keys: NumberKeys) -> int:
    """Reject up to DECIDED_MAX requests whose hold time is over; return how many were decided."""
    overdue = await ticket_store.overdue(tx, now, limit=DECIDED_MAX)
    await _decide_again(tx, overdue, now, keys)
    return len(overdue)


async def _receive(
    tx: Tx, documents: Sequence[Document], fresh: set[UUID], now: datetime, keys: NumberKeys
) -> list[ReceiptIssued]:
    inputs = await ticket_store.decision_inputs(tx, _requests(documents))
    new = await _new(tx, documents, fresh, inputs.receipts)
    decisions = _decide_all(new.values(), inputs, now, keys)
    await ticket_store.save_requests(tx, [_with_digest(d) for d in decisions])
    await _save_and_announce(tx, decisions, now)
    if inputs.has_open_merges:
        await later_facts.apply_merges(tx, [d.receipt.ticket_id for d in decisions], now)
    fact_receipts = await _record_facts(tx, new.values(), now)
    receipts_by_ticket = inputs.receipts | {
        d.receipt.ticket_id: _stored_receipt(d) for d in decisions
    }
    answers = []
    for document in documents:
        is_new = new.get(document.id) is document
        if isinstance(document.content, SupportRequest):
            answers.append(_request_answer(document.content, receipts_by_ticket, is_new=is_new))
        else:
            same = document.id not in fresh
            answers.append(
                await _fact_answer(tx, document, fact_receipts, is_new=is_new, same=same)
            )
    return answers


async def _new(
    tx: Tx, documents: Sequence[Document], fresh: set[UUID], stored: Mapping[UUID, StoredReceipt]
) -> dict[UUID, Document]:
    """Return the documents that were not received before, by id; release unused claims."""
    facts = [d for d in documents if isinstance(d.content, LaterFact)]
    known = await later_facts.known_documents(tx, [d.id for d in facts]) if facts else set()
    left, new = set(fresh), {}
    for document in documents:
        is_known = document.id in known or _is_known(document, stored)
        if document.claims <= left and not is_known:
            new[document.id] = document
            left -= document.claims
    unused = left & {claim for d in facts for claim in d.claims}
    if unused:
        await processed_events.release(tx, unused)
    return new


async def _input_faults(tx: Tx, documents: Sequence[Document], now: datetime) -> list[str | None]:
    """Return the fault of each document (a date in the future, an undialable number), or None."""
    with_number = [d.content for d in documents if _has_number(d.content)]
    versions = await _versions(tx, with_number)
    latest = await _latest(tx, documents, now)
    return [_fault_of(d.content, latest, versions) for d in documents]


async def _versions(tx: Tx, requests: Sequence[SupportRequest]) -> Mapping[str, Sequence[Version]]:
    """Read the versions of the requests' accounts; of their people, only the requesters."""
    if not requests:
        return {}
    return await account_store.versions(tx, [(r.account_id, r.requester_id) for r in requests])


async def _latest(tx: Tx, documents: Sequence[Document], now: datetime) -> datetime:
    """Return the present time for checks of dates: business time or, if later, real time.

    In a replay of a log, documents may be later than business time.
    """
    if all(domain.fault_of_date(d.content, now) is None for d in documents):
        return now
    return max(now, await ticket_store.real_now(tx))


def _fault_of(
    content: Inbound, latest: datetime, accounts: Mapping[str, Sequence[Version]]
) -> str | None:
    if (fault := domain.fault_of_date(content, latest)) is not None:
        return f"occurred_at: {fault}"
    if not _has_number(content):
        return None
    account = domain.account_of(content, accounts.get(content.account_id, ()))
    try:
        domain.number_of(content, account)
    except domain.NumberFault as e:
        return f"phone_number: {e}"
    return None


def _has_number(content: Inbound) -> TypeGuard[SupportRequest]:
    return isinstance(content, SupportRequest) and content.phone_number is not None


def _rejection(content: Inbound, fault: str) -> ReceiptIssued:
    return receipts.unreadable(content.source, content.external_id, fault)


def _decide_all(
    documents: Iterable[Document], inputs: DecisionInputs, now: datetime, keys: NumberKeys
) -> list[_Decision]:
    received = [
        ReceivedRequest(d.content, d.traceparent, now)
        for d in documents
        if isinstance(d.content, SupportRequest)
    ]
    return [
        _decide(r, inputs.accounts.get(r.request.account_id, []), inputs.terms, now, keys)
        for r in received
    ]


def _requests(documents: Iterable[Document]) -> list[SupportRequest]:
    return [d.content for d in documents if isinstance(d.content, SupportRequest)]


def _accounts_of(documents: Iterable[Document]) -> list[str]:
    return sorted({request.account_id for request in _requests(documents)})


async def _decide_again(
    tx: Tx,
    pending: Sequence[PendingRequest],
    now: datetime,
    keys: NumberKeys,
) -> None:
    if not pending:
        return
    terms = await ticket_store.current_terms(tx)
    versions = await _versions(tx, [p.received.request for p in pending])
    decisions = [
        _decide(p.received, versions.get(p.received.request.account_id, []), terms, now, keys)
        for p in pending
    ]
    changed = [d for d, p in zip(decisions, pending, strict=True) if d.receipt != p.receipt]
    await ticket_store.save_new_decisions(tx, [_with_digest(d) for d in changed])
    await _save_and_announce(tx, changed, now)
    await later_facts.apply_merges(tx, [d.receipt.ticket_id for d in changed if d.acceptance], now)


def _decide(
    received: ReceivedRequest,
    versions: Sequence[Version],
    terms: Terms,
    now: datetime,
    keys: NumberKeys,
) -> _Decision:
    request = received.request
    match domain.entitlement(request, versions):
        case domain.Entitled() as entitled:
            language = decide(
                tag=request.language,
                subject=request.subject,
                body=request.body,
                account_language=entitled.account.language,
                served=terms.served,
            )
            try:
                acceptance = domain.accept(
                    request, entitled, language, terms.policy, now=now, keys=keys
                )
            except domain.NumberFault as e:
                return _Decision(received, receipts.undialable(request, str(e)))
            return _Decision(received, receipts.accepted(request, acceptance), acceptance)
        case "unknown_account" if now < received.received_at + _HOLD_TIME:
            return _Decision(received, receipts.held(request, received.received_at + _HOLD_TIME))
        case reason:
            return _Decision(received, receipts.rejected(request, reason))


def _with_digest(decision: _Decision) -> DecidedRequest:
    return DecidedRequest(decision.received, _digest(decision.received.request), decision.receipt)


async def _save_and_announce(tx: Tx, decisions: Sequence[_Decision], now: datetime) -> None:
    """Save the accepted tickets, and announce the decisions."""
    if not decisions:
        return
    accepted = [(d.received.request, d.acceptance) for d in decisions if d.acceptance is not None]
    await ticket_store.save_tickets(tx, accepted, now=now)
    await outbox.add(tx, [event for d in decisions for event in _events_of(d, now)])


def _events_of(decision: _Decision, now: datetime) -> Iterator[Envelope[Event]]:
    request, trace = decision.received.request, decision.received.traceparent
    if decision.acceptance is not None:
        yield Envelope.caused_by(
            request.document_id,
            decision.acceptance.event,
            source=SOURCE,
            time=request.occurred_at,
            traceparent=trace,
        )
    yield receipt_event(request.document_id, decision.receipt, now, trace)


async def _record_facts(
    tx: Tx, documents: Iterable[Document], now: datetime
) -> dict[UUID, ReceiptIssued]:
    """Record new facts; release the claims of rejected ones, so that they may be sent again."""
    facts = {d.id: d for d in documents if isinstance(d.content, LaterFact)}
    if not facts:
        return {}
    reports = [
        FactReport(d.content, d.traceparent)
        for d in facts.values()
        if isinstance(d.content, LaterFact)
    ]
    found = await later_facts.record_facts(tx, reports, now)
    rejected = [facts[i] for i, receipt in found.items() if receipt.outcome == "rejected"]
    if rejected:
        await processed_events.release(tx, {claim for d in rejected for claim in d.claims})
    return found


async def _fact_answer(
    tx: Tx, document: Document, found: Mapping[UUID, ReceiptIssued], *, is_new: bool, same: bool
) -> ReceiptIssued:
    """Answer a later fact.

    ``same`` is False when another fact was received before under the same sender's id.
    """
    assert isinstance(document.content, LaterFact)  # noqa: S101 - the caller checked it
    receipt = found.get(document.id)
    if receipt is None:
        first = await later_facts.repeated_receipt(tx, document.content)
        return receipts.duplicate(first, same=same)
    if is_new or receipt.outcome == "rejected":
        return receipt
    return receipts.duplicate(receipt, same=True)


def _merges(content: Inbound) -> bool:
    return isinstance(content, LaterFact) and content.type == "merged"


def _is_known(document: Document, known: Mapping[UUID, StoredReceipt]) -> bool:
    return isinstance(document.content, SupportRequest) and document.content.ticket_id in known


def _stored_receipt(decision: _Decision) -> StoredReceipt:
    return StoredReceipt(_digest(decision.received.request), decision.receipt)


def _request_answer(
    request: SupportRequest, stored: Mapping[UUID, StoredReceipt], *, is_new: bool
) -> ReceiptIssued:
    first = stored[request.ticket_id]
    if is_new:
        return first.receipt
    return receipts.duplicate(first.receipt, same=_digest(request) == first.digest)


def _digest(request: SupportRequest) -> bytes:
    return sha256(request.model_dump_json().encode()).digest()
