"""The clock engine: facts in any order come to clocks; what changes is announced.

`derive` reads the set of facts and says what each promise comes to, `fold` announces the
difference to what was known, `fall_due` what time alone brings.
"""

from sla_monitor.domain.announce import SOURCE, Announced, Outcome, fall_due, fold, withdraw
from sla_monitor.domain.breakdown import breakdown
from sla_monitor.domain.clock import Cause, Clock, Fact, Key
from sla_monitor.domain.derive import ExceptionOf, derive, no_exception

__all__ = [
    "SOURCE",
    "Announced",
    "Cause",
    "Clock",
    "ExceptionOf",
    "Fact",
    "Key",
    "Outcome",
    "breakdown",
    "derive",
    "fall_due",
    "fold",
    "no_exception",
    "withdraw",
]
