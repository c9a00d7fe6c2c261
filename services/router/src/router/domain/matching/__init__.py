"""Matching: chooses the specialist for a ticket and records the reasons (docs/matching.md)."""

from router.domain.matching.candidate_index import CandidateIndex, Rank
from router.domain.matching.decision import FULL_MAX, MatchingRequest, RosterView, decide
from router.domain.matching.ranking import redecide
from router.domain.matching.rules import ENGLISH, MatchingRules, Pool, default_rules

__all__ = [
    "ENGLISH",
    "FULL_MAX",
    "CandidateIndex",
    "MatchingRequest",
    "MatchingRules",
    "Pool",
    "Rank",
    "RosterView",
    "decide",
    "default_rules",
    "redecide",
]
