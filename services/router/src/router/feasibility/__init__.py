"""Promises that nobody could keep: found at once, told, and taken back when somebody could."""

from router.feasibility.keep import keep
from router.feasibility.outlook import NEVER, OPEN, Outlook, Pool, outlooks, words

__all__ = ["NEVER", "OPEN", "Outlook", "Pool", "keep", "outlooks", "words"]
