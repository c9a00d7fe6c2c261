"""Receipts, written by intake to ``receipts.v1``: what became of each document from upstream."""

from typing import ClassVar, Literal, override
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.events.accounts import Purchase
from shared.events.base import Event, Moment
from shared.sla.promises import PromiseClass, PromiseKind, Severity, added

__all__ = [
    "Against",
    "ClaimReading",
    "Evidence",
    "For",
    "LanguageDecision",
    "Leaning",
    "NumberReading",
    "Outcome",
    "Promised",
    "Reason",
    "ReceiptIssued",
    "ReceiptSpan",
    "Refusal",
]

type Outcome = Literal["accepted", "duplicate", "held", "rejected"]
"""Held: its account is not known yet; it is rejected when none comes in time. A merge is held while
its target is not known."""
type Refusal = Literal[
    "mobile_app", "unknown_account", "not_bought", "not_yet_valid", "expired", "no_seat"
]
"""Why somebody may not ask, as of the create date."""
type Reason = (
    Refusal
    | Literal[
        "bad_data",
        "other_content",
        "erased",
        "closed",
        "unknown_target",
        "merged_into_itself",
        "merged_already",
        "merge_ring",
    ]
)


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class LanguageDecision(_Value):
    """In which language the customer is answered, and who said so.

    ``confidence`` is between 0 and 1 where the text was read, else None.
    """

    language: str
    by: Literal["sender", "detected", "account", "default"]
    confidence: float | None = None
    note: str = ""


class ReceiptSpan(_Value):
    """Calendar time that counts, from ``since`` to ``until``."""

    since: Moment
    until: Moment


type For = Literal["login_blocked", "outage", "content_access_lost", "data_loss_or_breach"]
type Against = Literal[
    "one_user_or_small_group", "question", "minor_or_cosmetic", "information_or_configuration"
]
"""Published criteria (the vendor's guide), for a business-critical claim and against one."""
type Leaning = Literal["critical", "not_critical", "unclear"]


class Evidence(_Value):
    """A sentence that speaks of a criterion: ``start`` and ``end`` in subject, newline, body.

    A place and no copy, so that what is published or logged holds no free text.
    """

    criterion: For | Against
    start: int
    end: int


class ClaimReading(_Value):
    """What a claim's text says for and against it: advice to whoever confirms or reclassifies."""

    speaks_for: tuple[Evidence, ...]
    speaks_against: tuple[Evidence, ...]
    leaning: Leaning


class NumberReading(_Value):
    """How a telephone number was read: it lies in ``country``, by its own code or the account's.

    None of its digits: a receipt is published.
    """

    country: str | None
    by: Literal["number", "account"]


class Promised(_Value):
    """A promise as the customer may be told it. ``target_s`` counts in ``spans``, up to ``due_at``.

    ``due_at`` is None, and there are no spans, where the clock does not start with the create date.
    A receipt that is read again says what is due by then, and whether the clock is ``paused``; once
    that has moved there are no spans.
    """

    kind: PromiseKind
    promise_class: PromiseClass
    target_s: int
    due_at: Moment | None
    calendar: str
    calendar_version: str
    time_zone: str
    rule: str
    exception: str | None = added(None)
    paused: bool = added(default=False)
    spans: tuple[ReceiptSpan, ...] = ()


class ReceiptIssued(Event):
    """What became of one document. ``reason`` and ``remedy`` say why it was not simply accepted.

    A duplicate carries what was said of the first, and its outcome. ``held_until`` is when a held
    request is rejected, unless its account comes first. ``no_promise`` is the policy's reason where
    an accepted request is promised nothing; ``missing`` what a business-critical claim lacks,
    ``reading`` what its text says for and against it: advice, which decided nothing. ``number`` is
    there where a telephone number was taken. ``counts_for`` is the request that a later fact counts
    for, where it was merged; ``note`` says what else a later fact brings about.
    """

    topic: ClassVar[str] = "receipts.v1"
    type: ClassVar[str] = "premium.receipt.issued.v1"

    source: str
    external_id: str
    ticket_id: UUID
    document: str
    outcome: Outcome
    duplicate_of: Outcome | None = None
    reason: Reason | None = None
    remedy: str | None = None
    held_until: Moment | None = None
    entitlement: Purchase | None = None
    policy: str | None = None
    rule: str | None = None
    claimed_severity: Severity | None = None
    severity: Severity | None = None
    missing: tuple[str, ...] = ()
    reading: ClaimReading | None = added(None)
    language: LanguageDecision | None = None
    number: NumberReading | None = added(None)
    promises: tuple[Promised, ...] = ()
    no_promise: str | None = None
    counts_for: str | None = added(None)
    note: str | None = added(None)

    @property
    @override
    def subject(self) -> str:
        """The sender's own reference."""
        return f"{self.source}/{self.external_id}"

    @property
    @override
    def discriminator(self) -> str:
        """A document that was held is answered again."""
        return f"{self.outcome}/{self.reason or ''}"
