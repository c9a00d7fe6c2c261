"""Handles what HTTP requests and webhooks submit: concurrent ones in one transaction.

The response to a submission is rendered from its outcomes, after the transaction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from intake import erasure, service, webhooks
from intake.batcher import Batcher
from intake.domain import NumberKeys
from intake.service import Document
from shared.events import ReceiptIssued
from shared.platform import idempotency, postgres
from shared.platform.idempotency import IdempotencyKey, KeyConflict, OutcomeType
from shared.platform.postgres import Database, Tx

__all__ = [
    "Entry",
    "EntryOutcome",
    "Erased",
    "ErasureOf",
    "Refused",
    "Submission",
    "Submissions",
    "UnmappedEvent",
]


@dataclass(frozen=True, slots=True)
class ErasureOf:
    """A requester whose data is to be erased."""

    source: str
    requester_id: str


@dataclass(frozen=True, slots=True)
class UnmappedEvent:
    """An invalid event of a webhook connection whose sender will not send it again."""

    connection: str
    event: Any
    fault: str


class Erased(BaseModel):
    """How many tickets were erased."""

    tickets: int


class Refused(BaseModel):
    """Why an entry is invalid; ``parked`` if it is kept as a dead letter."""

    fault: str
    parked: bool = False


type Entry = Document | ErasureOf | UnmappedEvent | Refused
"""One of the things that a request submits; some are known to be invalid before."""
type EntryOutcome = ReceiptIssued | Erased | Refused


@dataclass(frozen=True, slots=True)
class Submission:
    """The entries of one request, which are handled in one transaction."""

    entries: Sequence[Entry]
    key: IdempotencyKey | None = None

    @property
    def size(self) -> int:
        """How many entries it has."""
        return len(self.entries)


type SubmissionResult = list[EntryOutcome] | KeyConflict


def _has_effect(outcomes: list[EntryOutcome]) -> bool:
    return any(not isinstance(one, Refused) or one.parked for one in outcomes)


_KEPT_AS: Final = OutcomeType(TypeAdapter(list[EntryOutcome]), _has_effect)


class Submissions(Batcher[Submission, SubmissionResult]):
    """Handles all submissions, in batches (see `Batcher`), and each idempotency key once."""

    def __init__(self, db: Database, keys: NumberKeys) -> None:
        super().__init__("submissions", db, partial(_handle_submissions, keys=keys))

    async def outcomes(self, submission: Submission) -> list[EntryOutcome]:
        """Return the outcome of each entry, after the commit.

        Raises:
            KeyConflict: the key was used for another request, or its first one takes too long.
            Transient: nothing was stored, because a server is unavailable.
        """
        return await idempotency.wait_for_first(partial(self.submit, submission))


async def _handle_submissions(
    tx: Tx, submissions: Sequence[Submission], *, keys: NumberKeys
) -> list[SubmissionResult]:
    handle = partial(_handle_new, tx, keys)
    return await idempotency.handle_once(tx, submissions, handle, _KEPT_AS)


async def _handle_new(
    tx: Tx, keys: NumberKeys, submissions: Sequence[Submission]
) -> list[list[EntryOutcome]]:
    """Receive all documents, then erase: an erasure also concerns the documents before it."""
    entries = [entry for submission in submissions for entry in submission.entries]
    documents = [entry for entry in entries if isinstance(entry, Document)]
    receipts = iter(await service.receive(tx, documents, keys))
    outcomes = iter([await _outcome(tx, entry, receipts) for entry in entries])
    return [[next(outcomes) for _ in submission.entries] for submission in submissions]


async def _outcome(tx: Tx, entry: Entry, receipts: Iterator[ReceiptIssued]) -> EntryOutcome:
    match entry:
        case Document():
            receipt = next(receipts)
            if receipt.reason == "bad_data":
                return Refused(fault=receipt.remedy or "")
            return receipt
        case ErasureOf(source, requester_id):
            now = await postgres.now(tx)
            return Erased(tickets=await erasure.erase(tx, source, requester_id, now))
        case UnmappedEvent(connection, event, fault):
            await webhooks.park(tx, connection, event, fault)
            return Refused(fault=fault, parked=True)
        case Refused():
            return entry
