"""Callbacks: a ledger for each number, from the request to the call that settles it."""

from router.domain.callbacks.ledger import (
    REDIAL_RULE,
    Attempt,
    Call,
    CallbackEvent,
    CallbackRequest,
    RedialRule,
    calls_of,
)
from router.domain.callbacks.ledger_session import (
    AlreadySettled,
    CallReport,
    LedgerEntry,
    LedgerSession,
    NoCallback,
    UnknownSpecialist,
)
from router.domain.callbacks.tracking import (
    announce_reminders,
    apply_event,
    apply_responses,
    record_attempt,
)

__all__ = [
    "REDIAL_RULE",
    "AlreadySettled",
    "Attempt",
    "Call",
    "CallReport",
    "CallbackEvent",
    "CallbackRequest",
    "LedgerEntry",
    "LedgerSession",
    "NoCallback",
    "RedialRule",
    "UnknownSpecialist",
    "announce_reminders",
    "apply_event",
    "apply_responses",
    "calls_of",
    "record_attempt",
]
