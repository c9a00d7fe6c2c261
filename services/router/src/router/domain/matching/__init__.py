"""Who gets which ticket, by rules that are data, with a record that says why (docs/matching.md)."""

from router.domain.matching.candidate_index import Ranks, Standing
from router.domain.matching.decision import FULL_MAX, People, Question, decide
from router.domain.matching.rules import ENGLISH, Pool, Rules, default_rules
from router.domain.matching.scoring import redecide

__all__ = [
    "ENGLISH",
    "FULL_MAX",
    "People",
    "Pool",
    "Question",
    "Ranks",
    "Rules",
    "Standing",
    "decide",
    "default_rules",
    "redecide",
]
