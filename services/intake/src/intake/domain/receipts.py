"""Receipts: the answers to documents, with outcome, promises, reason and remedy."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal, get_args
from uuid import UUID

from intake.domain.criticality import read_claim
from intake.domain.entitlement import REMEDIES
from intake.domain.pricing import Acceptance
from shared.events import (
    ClaimReading,
    Envelope,
    Event,
    Inbound,
    LaterFact,
    Promised,
    ReceiptIssued,
    ReceiptSpan,
    Refusal,
    SupportRequest,
    ticket_id_of,
)
from shared.sla.promises import Promise

__all__ = [
    "SOURCE",
    "FactRefusal",
    "accepted",
    "document_of",
    "duplicate",
    "erased",
    "fact_accepted",
    "fact_rejected",
    "held",
    "merge_held",
    "receipt_event",
    "rejected",
    "retryable",
    "undialable",
    "unreadable",
]

SOURCE: Final = "intake"
_NEVER_RETRYABLE: Final = "mobile_app"
_ERASED: Final = "the requester was erased; to ask again, send another external_id"
_FIRST_COUNTS: Final = "the first document with this id counts; send changes as later facts"


type FactRefusal = Literal[
    "closed", "erased", "merged_into_itself", "merged_already", "merge_ring", "unknown_target"
]
"""Why a later fact is rejected or held."""
FACT_REMEDIES: Final[Mapping[FactRefusal, str]] = {
    "closed": "the ticket was closed too long ago to be reopened by a reply; send a new request",
    "erased": "the requester was erased, which ended the ticket; send a new request",
    "merged_into_itself": "into names the request itself; name the ticket to merge it into",
    "merged_already": "the ticket was merged before; merge the ticket it was merged into instead",
    "merge_ring": "into was itself merged into this ticket, which stays open; send nothing",
    "unknown_target": "into names no ticket yet: this one keeps its promises; send into's request",
}


def accepted(request: SupportRequest, acceptance: Acceptance) -> ReceiptIssued:
    """Make the receipt of an accepted request, with its promises."""
    event = acceptance.event
    return ReceiptIssued(
        source=request.source,
        external_id=request.external_id,
        ticket_id=request.ticket_id,
        document=document_of(request),
        outcome="accepted",
        entitlement=acceptance.purchase,
        policy=event.policy,
        rule=event.rule,
        claimed_severity=event.claimed_severity,
        severity=event.severity,
        missing=acceptance.missing,
        reading=_reading(request),
        language=acceptance.language,
        number=None if acceptance.number is None else acceptance.number.reading,
        promises=tuple(_promised(p, request.occurred_at) for p in event.promises),
        no_promise=acceptance.no_promise,
    )


def held(request: SupportRequest, until: datetime) -> ReceiptIssued:
    """Make the receipt of a request that is held until its account is known."""
    return _rejected(request).model_copy(
        update={
            "outcome": "held",
            "reason": "unknown_account",
            "remedy": REMEDIES["unknown_account"],
            "held_until": until,
        }
    )


def rejected(request: SupportRequest, reason: Refusal) -> ReceiptIssued:
    """Make the receipt of a rejected request."""
    return _rejected(request).model_copy(update={"reason": reason, "remedy": REMEDIES[reason]})


def undialable(request: SupportRequest, fault: str) -> ReceiptIssued:
    """Make the receipt of a request that was held and whose number cannot be dialled."""
    remedy = f"phone_number: {fault}; send another external_id"
    return _rejected(request).model_copy(update={"reason": "bad_data", "remedy": remedy})


def erased(first: ReceiptIssued) -> ReceiptIssued:
    """Make the receipt of a held request that was erased."""
    fields = {"outcome": "rejected", "reason": "erased", "remedy": _ERASED, "held_until": None}
    return first.model_copy(update=fields)


def unreadable(source: str, external_id: str, fault: str) -> ReceiptIssued:
    """Make the receipt of an invalid document, with its faults."""
    return ReceiptIssued(
        source=source,
        external_id=external_id,
        ticket_id=ticket_id_of(source, external_id),
        document="unread",
        outcome="rejected",
        reason="bad_data",
        remedy=fault,
    )


def fact_accepted(
    fact: LaterFact, *, counts_for: str | None = None, note: str | None = None
) -> ReceiptIssued:
    """Make the receipt of an accepted later fact; ``counts_for`` is set if a merge moved it."""
    fields = {"outcome": "accepted", "counts_for": counts_for, "note": note}
    return _rejected(fact).model_copy(update=fields)


def merge_held(fact: LaterFact) -> ReceiptIssued:
    """Make the receipt of a merge whose target is not known yet."""
    return fact_rejected(fact, "unknown_target").model_copy(update={"outcome": "held"})


def fact_rejected(fact: LaterFact, reason: FactRefusal) -> ReceiptIssued:
    """Make the receipt of a rejected later fact."""
    return _rejected(fact).model_copy(update={"reason": reason, "remedy": FACT_REMEDIES[reason]})


def duplicate(first: ReceiptIssued, *, same: bool) -> ReceiptIssued:
    """Make the receipt of a repeated document; ``same`` is False if its content is another."""
    fields: dict[str, object] = {"outcome": "duplicate", "duplicate_of": first.outcome}
    if not same:
        fields |= {"reason": "other_content", "remedy": _FIRST_COUNTS}
    return first.model_copy(update=fields)


def receipt_event(
    cause: UUID, receipt: ReceiptIssued, at: datetime, traceparent: str | None = None
) -> Envelope[Event]:
    """Make the event of a receipt, for ``receipts.v1``."""
    return Envelope.caused_by(cause, receipt, source=SOURCE, time=at, traceparent=traceparent)


def retryable(receipt: ReceiptIssued) -> bool:
    """Return whether a change of the account may still make the request acceptable."""
    return receipt.reason in get_args(Refusal.__value__) and receipt.reason != _NEVER_RETRYABLE


def document_of(content: Inbound) -> str:
    """Return the kind of a document: ``request``, or the type of a later fact."""
    return content.type if isinstance(content, LaterFact) else "request"


def _reading(request: SupportRequest) -> ClaimReading | None:
    if request.severity == "standard":
        return None
    return read_claim(request.subject, request.body)


def _rejected(content: Inbound) -> ReceiptIssued:
    return ReceiptIssued(
        source=content.source,
        external_id=content.external_id,
        ticket_id=content.ticket_id,
        document=document_of(content),
        outcome="rejected",
    )


def _promised(promise: Promise, create_date: datetime) -> Promised:
    calendar = promise.bound_calendar()
    spans = () if promise.due_at is None else calendar.spans(create_date, promise.due_at)
    return Promised(
        kind=promise.kind,
        promise_class=promise.promise_class,
        target_s=promise.target_s,
        due_at=promise.due_at,
        calendar=promise.calendar,
        calendar_version=promise.calendar_version,
        time_zone=promise.time_zone,
        rule=promise.rule,
        exception=promise.exception,
        spans=tuple(ReceiptSpan(since=span.opens, until=span.closes) for span in spans),
    )
