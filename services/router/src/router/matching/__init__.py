"""Who gets which ticket, by rules that are data, with a record that says why (docs/matching.md)."""

from router.matching.decision import FULL_MAX, People, Question, decide
from router.matching.judge import redecide
from router.matching.ranks import Ranks, Standing
from router.matching.rules import ENGLISH, Pool, Rules, default_rules

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
