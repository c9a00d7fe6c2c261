"""What becomes of a document from upstream: a ticket with promises, a fact, or a reason why not."""

from intake.domain.dating import AHEAD_MAX, fault_of_date
from intake.domain.entitlement import REMEDIES, Entitled, Version, entitlement, veiled
from intake.domain.pricing import Acceptance, absorbed, accept, fact_of, into_of, missing_in

__all__ = [
    "AHEAD_MAX",
    "REMEDIES",
    "Acceptance",
    "Entitled",
    "Version",
    "absorbed",
    "accept",
    "entitlement",
    "fact_of",
    "fault_of_date",
    "into_of",
    "missing_in",
    "veiled",
]
