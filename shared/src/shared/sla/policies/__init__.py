"""Policies as data: who is promised what, by which rule, and whence the rule is."""

from shared.sla.policies.faults import Fault
from shared.sla.policies.parts import (
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
from shared.sla.policies.policy import Policy, Pricing
from shared.sla.policies.reading import default_policy

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
