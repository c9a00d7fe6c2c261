"""What becomes of a document from upstream: a ticket with promises, a fact, or a reason why not."""

from intake.domain.entitlement import REMEDIES, Entitled, Version, account_of, digests, entitlement
from intake.domain.merging import Opened, absorbed, life_of, moved, moves, reply_to
from intake.domain.numbers import Number, NumberFault, NumberKeys, number_of
from intake.domain.pricing import Acceptance, accept, fact_of, into_of, missing_in
from intake.domain.time_checks import AHEAD_MAX, fault_of_date

__all__ = [
    "AHEAD_MAX",
    "REMEDIES",
    "Acceptance",
    "Entitled",
    "Number",
    "NumberFault",
    "NumberKeys",
    "Opened",
    "Version",
    "absorbed",
    "accept",
    "account_of",
    "digests",
    "entitlement",
    "fact_of",
    "fault_of_date",
    "into_of",
    "life_of",
    "missing_in",
    "moved",
    "moves",
    "number_of",
    "reply_to",
]
