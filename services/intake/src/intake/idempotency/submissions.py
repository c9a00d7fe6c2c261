"""Receives the documents of concurrent HTTP requests in one transaction, and stores responses.

For 7 days the stored response is returned when an Idempotency-Key (IETF draft) is sent again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from intake import service
from intake.batcher import Batcher
from intake.domain import NumberKeys
from intake.service import Document
from intake.store import idempotency as idempotency_store
from intake.store.idempotency import StoredResponse
from shared.events import ReceiptIssued
from shared.platform.postgres import Database, Tx

__all__ = [
    "IdempotencyKey",
    "KeyConflict",
    "RequestBatcher",
    "Submission",
    "SubmissionResult",
    "WriteResponse",
    "make_request_batcher",
    "receive_submissions",
]

type KeyConflict = Literal["in_progress", "other_body"]
"""Why a key gets no response: its first request is in progress, or had another body."""
type SubmissionResult = Sequence[ReceiptIssued] | StoredResponse | KeyConflict
"""Without a key, a receipt for each document in order; with a key, the stored response."""
type StatusAndBody = tuple[int, str]
type WriteResponse = Callable[[Sequence[ReceiptIssued]], StatusAndBody | None]
"""Makes a response of receipts; None when nothing was accepted, and the key stays unused."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """An Idempotency-Key: its digest, the digest of its request, and how to write the response."""

    key: str
    fingerprint: bytes
    write: WriteResponse


@dataclass(frozen=True, slots=True)
class Submission:
    """The documents of one HTTP request."""

    documents: Sequence[Document]
    key: IdempotencyKey | None = None

    @property
    def size(self) -> int:
        """How many documents it contains."""
        return len(self.documents)


type RequestBatcher = Batcher[Submission, SubmissionResult]

_IN_PROGRESS: Final[KeyConflict] = "in_progress"
_OTHER_BODY: Final[KeyConflict] = "other_body"


def make_request_batcher(db: Database, keys: NumberKeys) -> RequestBatcher:
    """Make the batcher that all HTTP endpoints share."""
    return Batcher("request batcher", db, partial(receive_submissions, keys=keys))


async def receive_submissions(
    tx: Tx, submissions: Sequence[Submission], *, keys: NumberKeys
) -> list[SubmissionResult]:
    """Receive submissions without a key or with a new one; return stored responses for the rest."""
    stored = await _stored(tx, submissions)
    by_key = {s.key.key: n for n, s in reversed(list(enumerate(submissions))) if s.key}
    first = {n for key, n in by_key.items() if key not in stored}
    new = {n: s for n, s in enumerate(submissions) if s.key is None or n in first}
    documents = [d for s in new.values() for d in s.documents]
    receipts = iter(await service.receive(tx, documents, keys))
    results = {n: [next(receipts) for _ in s.documents] for n, s in new.items()}
    written = {
        s.key.key: StoredResponse(s.key.fingerprint, *response)
        for n, s in new.items()
        if s.key and (response := s.key.write(results[n])) is not None
    }
    await idempotency_store.save_responses(tx, written)
    responses = stored | written
    return [
        results[n]
        if s.key is None or (n in new and s.key.key not in written)
        else _result_of_key(s.key, responses.get(s.key.key))
        for n, s in enumerate(submissions)
    ]


async def _stored(tx: Tx, submissions: Sequence[Submission]) -> dict[str, StoredResponse | None]:
    """Read the stored responses of keys; None for a key that another request is using."""
    keys = sorted({s.key.key for s in submissions if s.key})
    if not keys:
        return {}
    locked = await idempotency_store.lock_keys(tx, keys)
    responses = await idempotency_store.stored_responses(tx, locked)
    return {key: None for key in keys if key not in locked} | responses


def _result_of_key(key: IdempotencyKey, stored: StoredResponse | None) -> SubmissionResult:
    if stored is None:
        return _IN_PROGRESS
    return stored if stored.fingerprint == key.fingerprint else _OTHER_BODY
