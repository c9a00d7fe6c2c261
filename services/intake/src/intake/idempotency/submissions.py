"""Behind the HTTP doors: what waits is received in one transaction, together with its answers.

An Idempotency-Key (IETF draft) replays the answer that was given to it, for 7 days.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from intake import service
from intake.batcher import Together
from intake.domain import NumberKeys
from intake.service import Document
from intake.store import idempotency as idempotency_store
from intake.store.idempotency import Kept
from shared.events import ReceiptIssued
from shared.platform.postgres import Database, Tx

__all__ = [
    "Answer",
    "Asking",
    "Keyed",
    "Reception",
    "Unanswered",
    "Write",
    "make_reception",
    "take",
]

type Unanswered = Literal["in_hand", "other_body"]
"""Why a key gets no answer: its first request is still in hand, or said something else."""
type Answer = Sequence[ReceiptIssued] | Kept | Unanswered
"""Receipts, each in its document's place; for a key what was written of them, now or before."""


type Written = tuple[int, str]
"""A status and a body."""
type Write = Callable[[Sequence[ReceiptIssued]], Written | None]
"""Writes an answer of receipts; None when nothing was taken, and the key stays free."""


@dataclass(frozen=True, slots=True)
class Keyed:
    """An Idempotency-Key, a digest of what was sent with it, and how its answer is written."""

    key: str
    fingerprint: bytes
    write: Write


@dataclass(frozen=True, slots=True)
class Asking:
    """Documents that came together, and are answered together."""

    documents: Sequence[Document]
    keyed: Keyed | None = None

    @property
    def size(self) -> int:
        """Records it brings."""
        return len(self.documents)


type Reception = Together[Asking, Answer]

_IN_HAND: Final[Unanswered] = "in_hand"
_OTHER_BODY: Final[Unanswered] = "other_body"


def make_reception(db: Database, keys: NumberKeys) -> Reception:
    """Make the part that all HTTP doors share."""
    return Together("reception", db, partial(take, keys=keys))


async def take(tx: Tx, askings: Sequence[Asking], *, keys: NumberKeys) -> list[Answer]:
    """Receive what is new, and answer each as its key was answered first."""
    kept = await _kept(tx, askings)
    keyed = {a.keyed.key: n for n, a in reversed(list(enumerate(askings))) if a.keyed}
    first = {n for key, n in keyed.items() if key not in kept}
    new = {n: a for n, a in enumerate(askings) if a.keyed is None or n in first}
    documents = [d for a in new.values() for d in a.documents]
    receipts = iter(await service.receive(tx, documents, keys))
    given = {n: [next(receipts) for _ in a.documents] for n, a in new.items()}
    written = {
        a.keyed.key: Kept(a.keyed.fingerprint, *answer)
        for n, a in new.items()
        if a.keyed and (answer := a.keyed.write(given[n])) is not None
    }
    await idempotency_store.keep_answers(tx, written)
    answers = kept | written
    return [
        given[n]
        if a.keyed is None or (n in new and a.keyed.key not in written)
        else _replayed(a.keyed, answers.get(a.keyed.key))
        for n, a in enumerate(askings)
    ]


async def _kept(tx: Tx, askings: Sequence[Asking]) -> dict[str, Kept | None]:
    """Read what keys were answered before; None for those that somebody else has in hand."""
    keys = sorted({a.keyed.key for a in askings if a.keyed})
    if not keys:
        return {}
    ours = await idempotency_store.lock_keys(tx, keys)
    return {key: None for key in keys if key not in ours} | await idempotency_store.answers_to(
        tx, ours
    )


def _replayed(keyed: Keyed, kept: Kept | None) -> Answer:
    if kept is None:
        return _IN_HAND
    return kept if kept.fingerprint == keyed.fingerprint else _OTHER_BODY
