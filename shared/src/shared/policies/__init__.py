"""Policies as data: who is promised what, by which rule, and whence the rule is."""

from shared.policies.faults import Fault
from shared.policies.parts import (
    Asked,
    ExceptionWindow,
    Match,
    Region,
    Rule,
    Terms,
    Tier,
    base_language,
    lies_in,
)
from shared.policies.policy import Policy, Pricing
from shared.policies.reading import default_policy

__all__ = [
    "Asked",
    "ExceptionWindow",
    "Fault",
    "Match",
    "Policy",
    "Pricing",
    "Region",
    "Rule",
    "Terms",
    "Tier",
    "base_language",
    "default_policy",
    "lies_in",
]
