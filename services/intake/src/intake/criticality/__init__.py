"""What the text of a business-critical claim says for and against it: advice to who decides."""

from intake.criticality.reading import ClaimReading, Evidence, Leaning, quoted, read_claim
from intake.criticality.rules import Against, For

__all__ = ["Against", "ClaimReading", "Evidence", "For", "Leaning", "quoted", "read_claim"]
