"""The desk behind all doors: documents are judged, kept and announced, and each is answered.

Whatever the door, a document is taken once by its id, and a copy is answered as the first was.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Final, TypedDict, TypeGuard
from uuid import UUID

from pydantic import ConfigDict, TypeAdapter, ValidationError

from intake import accounts, domain, later_facts
from intake.domain import Acceptance, NumberKeys, Version, receipts
from intake.domain.language import decide
from intake.later_facts import Told
from intake.store import accounts as account_store
from intake.store import news
from intake.store import tickets as ticket_store
from intake.store.tickets import Answered, Came, Judged, Known, Terms, Waiting
from shared.events import Envelope, Event, Inbound, LaterFact, ReceiptIssued, SupportRequest
from shared.events.requests import Reference
from shared.platform import outbox, processed_events
from shared.platform.postgres import Tx

__all__ = [
    "JUDGED_MAX",
    "SOURCE",
    "Document",
    "announced",
    "identity_of",
    "judge_waiting",
    "list_accounts",
    "receive",
    "reject_overdue",
]

SOURCE: Final = receipts.SOURCE
announced = receipts.announced
JUDGED_MAX: Final = 100
"""Requests that one transaction judges again: each may hold 100,000 characters."""
_HOLD: Final = timedelta(seconds=60)
"""How long a request waits for its account, which may still be on its way."""
_CURABLE: Final = timedelta(hours=24)
"""How long after it came a late entitlement still makes a ticket of a request."""


class _Named(TypedDict):
    source: Reference
    external_id: Reference


_NAMED: Final = TypeAdapter(Annotated[_Named, ConfigDict(extra="ignore")])


@dataclass(frozen=True, slots=True)
class Document:
    """A document that came in. Its id is the same for every copy, whatever the door."""

    content: Inbound
    traceparent: str | None

    @property
    def id(self) -> UUID:
        """What names it, and every copy."""
        return self.content.document_id

    @property
    def claims(self) -> set[UUID]:
        """What is claimed: a fact is known by what it says, and by its sender's id for it."""
        named = self.content.claim_id if isinstance(self.content, LaterFact) else None
        return {self.id} if named is None else {self.id, named}


@dataclass(frozen=True, slots=True)
class _Judged:
    """What becomes of a request: its answer, and the ticket if it is one."""

    came: Came
    receipt: ReceiptIssued
    acceptance: Acceptance | None = None


async def receive(tx: Tx, documents: Sequence[Document], keys: NumberKeys) -> list[ReceiptIssued]:
    """Take what is new, and answer each document in its place.

    Nothing is kept of one that lies ahead of our time, or whose customer cannot be called: it comes
    again under the same name.
    """
    if not documents:
        return []
    if any(_merges(d.content) for d in documents):
        await ticket_store.change_merges(tx)
    claims = {claim for d in documents for claim in d.claims}
    fresh, now = await ticket_store.hold_and_claim(tx, claims, _accounts_of(documents))
    faults = await _faults_of(tx, documents, now)
    timely = [d for d, fault in zip(documents, faults, strict=True) if fault is None]
    if len(timely) < len(documents):
        await processed_events.release(tx, fresh - {claim for d in timely for claim in d.claims})
    answers = iter(await _receive(tx, timely, fresh, now, keys))
    return [
        next(answers) if fault is None else _refusal(document.content, fault)
        for document, fault in zip(documents, faults, strict=True)
    ]


async def list_accounts(
    tx: Tx, told: Sequence[accounts.Told], now: datetime, keys: NumberKeys
) -> None:
    """Keep accounts, and judge again the requests that waited for them, or came too early.

    One transaction judges JUDGED_MAX of them; what is left is done in later ones.
    """
    if not told:
        return
    in_force, answers = await accounts.keep(tx, told, now)
    await outbox.add(tx, answers)
    await news.add(tx, sorted(in_force), since=now - _CURABLE)
    await judge_waiting(tx, now, keys)


async def judge_waiting(tx: Tx, now: datetime, keys: NumberKeys) -> bool:
    """Judge again requests of accounts of which something is new; whether some may be left."""
    left = JUDGED_MAX
    while left > 0:
        account = await news.claim(tx)
        if account is None:
            return False
        account_id = account.account_id
        waiting = await ticket_store.waiting(tx, account_id, account.done_to, limit=left)
        await _judge_again(tx, waiting, now, keys)
        if len(waiting) < left:
            await news.end(tx, account_id)
        else:
            last = waiting[-1].came
            await news.advance(tx, account_id, (last.received_at, last.request.ticket_id))
        left -= max(len(waiting), 1)
    return True


async def reject_overdue(tx: Tx, now: datetime, keys: NumberKeys) -> int:
    """Reject requests whose account did not come; their number comes back."""
    overdue = await ticket_store.overdue(tx, now, limit=JUDGED_MAX)
    await _judge_again(tx, overdue, now, keys)
    return len(overdue)


def identity_of(content: Any) -> tuple[str, str] | None:  # noqa: ANN401 - JSON is any
    """Read whose a document with other faults is; None when that is faulty, too."""
    try:
        named = _NAMED.validate_python(content)
    except ValidationError:
        return None
    return named["source"], named["external_id"]


async def _receive(
    tx: Tx, documents: Sequence[Document], fresh: set[UUID], now: datetime, keys: NumberKeys
) -> list[ReceiptIssued]:
    known = await ticket_store.known(tx, _requests(documents))
    new = await _new(tx, documents, fresh, known.answered)
    judged = _judge(new.values(), known, now, keys)
    await ticket_store.save_requests(tx, [_kept(j) for j in judged])
    await _announce(tx, judged, now)
    if known.merged:
        await later_facts.settle(tx, [j.receipt.ticket_id for j in judged], now)
    told = await _take_facts(tx, new.values(), now)
    answers = known.answered | {j.receipt.ticket_id: _answered(j) for j in judged}
    given = []
    for document in documents:
        is_new = new.get(document.id) is document
        if isinstance(document.content, SupportRequest):
            given.append(_answer(document.content, answers, is_new=is_new))
        else:
            same = document.id not in fresh
            given.append(await _fact_answer(tx, document, told, is_new=is_new, same=same))
    return given


async def _new(
    tx: Tx, documents: Sequence[Document], fresh: set[UUID], answered: Mapping[UUID, Answered]
) -> dict[UUID, Document]:
    """Pick what did not come before, of copies the first; what is claimed in vain is given back."""
    facts = [d for d in documents if isinstance(d.content, LaterFact)]
    kept = await later_facts.known(tx, [d.id for d in facts]) if facts else set()
    left, new = set(fresh), {}
    for document in documents:
        is_known = document.id in kept or _is_known(document, answered)
        if document.claims <= left and not is_known:
            new[document.id] = document
            left -= document.claims
    in_vain = left & {claim for d in facts for claim in d.claims}
    if in_vain:
        await processed_events.release(tx, in_vain)
    return new


async def _faults_of(tx: Tx, documents: Sequence[Document], now: datetime) -> list[str | None]:
    """Say which lie ahead of our time, or bring a number that cannot be dialled."""
    calls = [d.content for d in documents if _brings_a_number(d.content)]
    versions = await _versions(tx, calls)
    latest = await _latest(tx, documents, now)
    return [_fault_of(d.content, latest, versions) for d in documents]


async def _versions(tx: Tx, requests: Sequence[SupportRequest]) -> Mapping[str, Sequence[Version]]:
    """Read what was told of the accounts that ask, as it concerns who asks."""
    if not requests:
        return {}
    return await account_store.versions(tx, [(r.account_id, r.requester_id) for r in requests])


async def _latest(tx: Tx, documents: Sequence[Document], now: datetime) -> datetime:
    """Say up to when dates may lie. A log that is replayed lies ahead of ``now`` only."""
    if all(domain.fault_of_date(d.content, now) is None for d in documents):
        return now
    return max(now, await ticket_store.real_now(tx))


def _fault_of(
    content: Inbound, latest: datetime, accounts: Mapping[str, Sequence[Version]]
) -> str | None:
    if (fault := domain.fault_of_date(content, latest)) is not None:
        return f"occurred_at: {fault}"
    if not _brings_a_number(content):
        return None
    account = domain.account_of(content, accounts.get(content.account_id, ()))
    try:
        domain.number_of(content, account)
    except domain.NumberFault as e:
        return f"phone_number: {e}"
    return None


def _brings_a_number(content: Inbound) -> TypeGuard[SupportRequest]:
    return isinstance(content, SupportRequest) and content.phone_number is not None


def _refusal(content: Inbound, fault: str) -> ReceiptIssued:
    return receipts.bad(content.source, content.external_id, fault)


def _judge(
    documents: Iterable[Document], known: Known, now: datetime, keys: NumberKeys
) -> list[_Judged]:
    came = [
        Came(d.content, d.traceparent, now)
        for d in documents
        if isinstance(d.content, SupportRequest)
    ]
    return [
        _verdict(c, known.accounts.get(c.request.account_id, []), known.terms, now, keys)
        for c in came
    ]


def _requests(documents: Iterable[Document]) -> list[SupportRequest]:
    return [d.content for d in documents if isinstance(d.content, SupportRequest)]


def _accounts_of(documents: Iterable[Document]) -> list[str]:
    return sorted({request.account_id for request in _requests(documents)})


async def _judge_again(
    tx: Tx,
    waiting: Sequence[Waiting],
    now: datetime,
    keys: NumberKeys,
) -> None:
    if not waiting:
        return
    terms = await ticket_store.current_terms(tx)
    told = await _versions(tx, [w.came.request for w in waiting])
    found = [
        _verdict(w.came, told.get(w.came.request.account_id, []), terms, now, keys) for w in waiting
    ]
    changed = [j for j, w in zip(found, waiting, strict=True) if j.receipt != w.receipt]
    await ticket_store.judge_again(tx, [_kept(j) for j in changed])
    await _announce(tx, changed, now)
    await later_facts.settle(tx, [j.receipt.ticket_id for j in changed if j.acceptance], now)


def _verdict(
    came: Came, versions: Sequence[Version], terms: Terms, now: datetime, keys: NumberKeys
) -> _Judged:
    request = came.request
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
                return _Judged(came, receipts.undialable(request, str(e)))
            return _Judged(came, receipts.accepted(request, acceptance), acceptance)
        case "unknown_account" if now < came.received_at + _HOLD:
            return _Judged(came, receipts.held(request, came.received_at + _HOLD))
        case reason:
            return _Judged(came, receipts.rejected(request, reason))


def _kept(judged: _Judged) -> Judged:
    return Judged(judged.came, _digest(judged.came.request), judged.receipt)


async def _announce(tx: Tx, judged: Sequence[_Judged], now: datetime) -> None:
    """Keep tickets, and announce what became of requests."""
    if not judged:
        return
    taken = [(j.came.request, j.acceptance) for j in judged if j.acceptance is not None]
    await ticket_store.save_tickets(tx, taken, now=now)
    await outbox.add(tx, [event for j in judged for event in _told(j, now)])


def _told(judged: _Judged, now: datetime) -> Iterator[Envelope[Event]]:
    request, trace = judged.came.request, judged.came.traceparent
    if judged.acceptance is not None:
        yield _fact(request.document_id, judged.acceptance.event, request.occurred_at, trace)
    yield announced(request.document_id, judged.receipt, now, trace)


async def _take_facts(
    tx: Tx, documents: Iterable[Document], now: datetime
) -> dict[UUID, ReceiptIssued]:
    """Take facts; what counts for nothing may be sent again."""
    facts = {d.id: d for d in documents if isinstance(d.content, LaterFact)}
    if not facts:
        return {}
    told = [
        Told(d.content, d.traceparent) for d in facts.values() if isinstance(d.content, LaterFact)
    ]
    answers = await later_facts.take(tx, told, now)
    refused = [facts[i] for i, receipt in answers.items() if receipt.outcome == "rejected"]
    if refused:
        await processed_events.release(tx, {claim for d in refused for claim in d.claims})
    return answers


async def _fact_answer(
    tx: Tx, document: Document, told: Mapping[UUID, ReceiptIssued], *, is_new: bool, same: bool
) -> ReceiptIssued:
    """Answer a later fact; ``same`` tells a copy from another under an id that came before."""
    assert isinstance(document.content, LaterFact)  # noqa: S101 - asked for only of these
    receipt = told.get(document.id)
    if receipt is None:
        return receipts.duplicate(await later_facts.again(tx, document.content), same=same)
    if is_new or receipt.outcome == "rejected":
        return receipt
    return receipts.duplicate(receipt, same=True)


def _fact(cause: UUID, event: Event, at: datetime, traceparent: str | None) -> Envelope[Event]:
    return Envelope.caused_by(cause, event, source=SOURCE, time=at, traceparent=traceparent)


def _merges(content: Inbound) -> bool:
    return isinstance(content, LaterFact) and content.type == "merged"


def _is_known(document: Document, known: Mapping[UUID, Answered]) -> bool:
    return isinstance(document.content, SupportRequest) and document.content.ticket_id in known


def _answered(judged: _Judged) -> Answered:
    return Answered(_digest(judged.came.request), judged.receipt)


def _answer(
    request: SupportRequest, answers: Mapping[UUID, Answered], *, is_new: bool
) -> ReceiptIssued:
    first = answers[request.ticket_id]
    if is_new:
        return first.receipt
    return receipts.duplicate(first.receipt, same=_digest(request) == first.digest)


def _digest(request: SupportRequest) -> bytes:
    return sha256(request.model_dump_json().encode()).digest()
