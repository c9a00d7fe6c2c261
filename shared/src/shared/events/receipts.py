"""Receipts, published by intake on ``receipts.v1``: the result of each document from upstream."""

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
"""Held: the account is not known yet; without it the document is rejected in time. A merge is held
while its target is not known."""
type Refusal = Literal[
    "mobile_app", "unknown_account", "not_bought", "not_yet_valid", "expired", "no_seat"
]
"""Why the requester is not entitled, as of the create date."""
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
    """The language in which the customer is answered, and how it was determined.

    ``confidence`` is between 0 and 1 if it was detected from the text, else None.
    """

    language: str
    by: Literal["sender", "detected", "account", "default"]
    confidence: float | None = None
    note: str = ""


class ReceiptSpan(_Value):
    """A span of counted calendar time, from ``since`` to ``until``."""

    since: Moment
    until: Moment


type For = Literal["login_blocked", "outage", "content_access_lost", "data_loss_or_breach"]
type Against = Literal[
    "one_user_or_small_group", "question", "minor_or_cosmetic", "information_or_configuration"
]
"""Criteria for and against a business-critical claim, from the vendor's published guide."""
type Leaning = Literal["critical", "not_critical", "unclear"]


class Evidence(_Value):
    """A sentence that matches a criterion: character offsets in subject + newline + body.

    Offsets instead of a copy, so that events and logs hold no text of the customer.
    """

    criterion: For | Against
    start: int
    end: int


class ClaimReading(_Value):
    """Evidence for and against a claim in its text: advice for the specialist who confirms it."""

    speaks_for: tuple[Evidence, ...]
    speaks_against: tuple[Evidence, ...]
    leaning: Leaning


class NumberReading(_Value):
    """The country of a telephone number, from its country code or from the account.

    It holds none of the digits, because a receipt is published.
    """

    country: str | None
    by: Literal["number", "account"]


class Promised(_Value):
    """A promise in a receipt. The ``target_s`` seconds are counted in ``spans``, up to ``due_at``.

    ``due_at`` is None, and ``spans`` is empty, if the clock does not start with the create date. A
    receipt that is read later shows the current due time, and whether the clock is ``paused``; once
    the due time has changed, ``spans`` is empty.
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
    """The result of one document. ``reason`` and ``remedy`` explain one that was not accepted.

    A duplicate repeats the first receipt, whose outcome is ``duplicate_of``. A held request is
    rejected at ``held_until``, unless its account arrives first. ``no_promise`` is the policy's
    reason for an accepted request without promises. ``missing`` is what a business-critical claim
    lacks; ``reading`` is the evidence in its text, as advice only. ``number`` is set if a telephone
    number was accepted. ``counts_for`` is the request into which the ticket of a later fact was
    merged; ``note`` describes a further effect of a later fact.
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
        """The sender's reference."""
        return f"{self.source}/{self.external_id}"

    @property
    @override
    def discriminator(self) -> str:
        """The outcome: a held document gets a second receipt."""
        return f"{self.outcome}/{self.reason or ''}"
