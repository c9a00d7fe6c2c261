"""Evidence for and against a business-critical claim in its text, to help the specialist decide."""

from intake.domain.criticality.reading import quoted, read_claim

__all__ = ["quoted", "read_claim"]
