"""Policies as data: who is promised what, by which rule, and whence the rule is."""

from shared.sla.policies.faults import Fault
from shared.sla.policies.parts import (
    ExceptionWindow,
    PolicyRule,
    Region,
    RequestMatch,
    RequestTraits,
    Terms,
    Tier,
    base_language,
    lies_in,
)
from shared.sla.policies.policy import Policy, Pricing
from shared.sla.policies.reading import default_policy

__all__ = [
    "ExceptionWindow",
    "Fault",
    "Policy",
    "PolicyRule",
    "Pricing",
    "Region",
    "RequestMatch",
    "RequestTraits",
    "Terms",
    "Tier",
    "base_language",
    "default_policy",
    "lies_in",
]
