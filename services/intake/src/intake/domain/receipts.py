"""What upstream is told: whether a request was taken, what was promised, and why."""

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
    "announced",
    "bad",
    "counts_for_nothing",
    "curable",
    "document_of",
    "duplicate",
    "erased",
    "held",
    "merge_waits",
    "noted",
    "rejected",
    "undialable",
]

SOURCE: Final = "intake"
_FINAL: Final = "mobile_app"
_ERASED: Final = "who asked was erased; to ask anew, send another external_id"
_STANDS: Final = "what came first stands; tell changes as later facts"


type FactRefusal = Literal[
    "closed", "erased", "merged_into_itself", "merged_already", "merge_ring", "unknown_target"
]
"""Why a later fact counts for nothing, or not yet."""
REMEDY: Final[Mapping[FactRefusal, str]] = {
    "closed": "the ticket was closed too long ago to be reopened by a reply; send a new request",
    "erased": "who asked was erased, and nothing is owed on the ticket; send a new request",
    "merged_into_itself": "into names the request itself; name the one that stays",
    "merged_already": "it was merged before, and that stands; merge the one that stays instead",
    "merge_ring": "into was itself merged into this one, which stays; nothing need be sent",
    "unknown_target": "into names no ticket yet: all stays owed here until then; send its request",
}


def accepted(request: SupportRequest, acceptance: Acceptance) -> ReceiptIssued:
    """Say what was promised, and by what."""
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
    """Say that its account is waited for."""
    return _unanswered(request).model_copy(
        update={
            "outcome": "held",
            "reason": "unknown_account",
            "remedy": REMEDIES["unknown_account"],
            "held_until": until,
        }
    )


def rejected(request: SupportRequest, reason: Refusal) -> ReceiptIssued:
    """Say why it was not taken, and what would help."""
    return _unanswered(request).model_copy(update={"reason": reason, "remedy": REMEDIES[reason]})


def undialable(request: SupportRequest, fault: str) -> ReceiptIssued:
    """Say why the customer of a request, which had been held, cannot be called."""
    told = {"reason": "bad_data", "remedy": f"phone_number: {fault}; send another external_id"}
    return _unanswered(request).model_copy(update=told)


def erased(first: ReceiptIssued) -> ReceiptIssued:
    """Say that a held request is waited with no longer: it was erased."""
    told = {"outcome": "rejected", "reason": "erased", "remedy": _ERASED, "held_until": None}
    return first.model_copy(update=told)


def bad(source: str, external_id: str, fault: str) -> ReceiptIssued:
    """Name the faults of a document that could not be read."""
    return ReceiptIssued(
        source=source,
        external_id=external_id,
        ticket_id=ticket_id_of(source, external_id),
        document="unread",
        outcome="rejected",
        reason="bad_data",
        remedy=fault,
    )


def noted(
    fact: LaterFact, *, counts_for: str | None = None, note: str | None = None
) -> ReceiptIssued:
    """Say that a later fact was taken, what for, and what it brings about."""
    told = {"outcome": "accepted", "counts_for": counts_for, "note": note}
    return _unanswered(fact).model_copy(update=told)


def merge_waits(fact: LaterFact) -> ReceiptIssued:
    """Say that a merge waits for its target, and that the promise stays owed until then."""
    told = {"outcome": "held", "reason": "unknown_target", "remedy": REMEDY["unknown_target"]}
    return _unanswered(fact).model_copy(update=told)


def counts_for_nothing(fact: LaterFact, reason: FactRefusal) -> ReceiptIssued:
    """Say why a later fact changes nothing, and what to do instead."""
    return _unanswered(fact).model_copy(update={"reason": reason, "remedy": REMEDY[reason]})


def duplicate(first: ReceiptIssued, *, same: bool) -> ReceiptIssued:
    """Say again what was said of the first, and whether this was its equal."""
    told: dict[str, object] = {"outcome": "duplicate", "duplicate_of": first.outcome}
    if not same:
        told |= {"reason": "other_content", "remedy": _STANDS}
    return first.model_copy(update=told)


def announced(
    cause: UUID, receipt: ReceiptIssued, at: datetime, traceparent: str | None = None
) -> Envelope[Event]:
    """Wrap a receipt for ``receipts.v1``."""
    return Envelope.caused_by(cause, receipt, source=SOURCE, time=at, traceparent=traceparent)


def curable(receipt: ReceiptIssued) -> bool:
    """Tell whether a late entitlement may still help."""
    return receipt.reason in get_args(Refusal.__value__) and receipt.reason != _FINAL


def document_of(content: Inbound) -> str:
    """Name the kind of a document: a request, or the type of a later fact."""
    return content.type if isinstance(content, LaterFact) else "request"


def _reading(request: SupportRequest) -> ClaimReading | None:
    if request.severity == "standard":
        return None
    return read_claim(request.subject, request.body)


def _unanswered(content: Inbound) -> ReceiptIssued:
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
