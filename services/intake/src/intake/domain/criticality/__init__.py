"""What the text of a business-critical claim says for and against it: advice to who decides."""

from intake.domain.criticality.reading import quoted, read_claim

__all__ = ["quoted", "read_claim"]
