"""The rules of intake: which documents become tickets or facts, and what is promised."""

from intake.domain.entitlement import REMEDIES, Entitled, Version, account_of, digests, entitlement
from intake.domain.merging import (
    KnownTicket,
    absorbed_event,
    facts_to_move,
    life_of,
    moved_event,
    reply_event,
)
from intake.domain.numbers import Number, NumberFault, NumberKeys, number_of
from intake.domain.pricing import Acceptance, accept, event_of, into_of, missing_in
from intake.domain.time_checks import AHEAD_MAX, fault_of_date

__all__ = [
    "AHEAD_MAX",
    "REMEDIES",
    "Acceptance",
    "Entitled",
    "KnownTicket",
    "Number",
    "NumberFault",
    "NumberKeys",
    "Version",
    "absorbed_event",
    "accept",
    "account_of",
    "digests",
    "entitlement",
    "event_of",
    "facts_to_move",
    "fault_of_date",
    "into_of",
    "life_of",
    "missing_in",
    "moved_event",
    "number_of",
    "reply_event",
]
