"""Later facts about tickets: saved and announced, or rejected.

A merge counts once both tickets exist; until then the duplicate keeps its promise. A reply to a
merged ticket counts for the merge's final target.
"""

from intake.later_facts.merges import apply_merges
from intake.later_facts.recording import FactReport, record_facts, repeated_receipt
from intake.store.later_facts import known_documents

__all__ = ["FactReport", "apply_merges", "known_documents", "record_facts", "repeated_receipt"]
