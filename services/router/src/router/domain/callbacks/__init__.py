"""Promised calls: a ledger for each number, from the wish to the call that answers it."""

from router.domain.callbacks.ledger import HOUSE_RULE, Attempt, Call, Rule, Told, Wish, calls_of
from router.domain.callbacks.ledger_session import Book, Dial, Entry, NoCallback, Settled, Stranger
from router.domain.callbacks.tracking import dial, follow, hear, remind

__all__ = [
    "HOUSE_RULE",
    "Attempt",
    "Book",
    "Call",
    "Dial",
    "Entry",
    "NoCallback",
    "Rule",
    "Settled",
    "Stranger",
    "Told",
    "Wish",
    "calls_of",
    "dial",
    "follow",
    "hear",
    "remind",
]
