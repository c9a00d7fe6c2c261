"""Promised calls: a ledger for each number, from the wish to the call that answers it."""

from router.callbacks.book import Book, Dial, Entry, NoCallback, Settled, Stranger
from router.callbacks.follow import dial, follow, remind
from router.callbacks.ledger import HOUSE_RULE, Attempt, Call, Rule, Told, Wish, calls_of

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
    "remind",
]
