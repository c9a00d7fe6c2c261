"""The clock engine: derives clocks from facts in any order, and announces the changes.

`derive` computes all clocks from the set of facts. `update_clock` announces the difference to the
known clock. `announce_due` announces warnings and breaches that are due.
"""

from sla_monitor.domain.announce import (
    SOURCE,
    Announced,
    ClockUpdate,
    announce_due,
    update_clock,
    withdraw,
)
from sla_monitor.domain.breakdown import breakdown
from sla_monitor.domain.clock import Cause, Clock, Fact, Key
from sla_monitor.domain.derive import ExceptionOf, derive, no_exception

__all__ = [
    "SOURCE",
    "Announced",
    "Cause",
    "Clock",
    "ClockUpdate",
    "ExceptionOf",
    "Fact",
    "Key",
    "announce_due",
    "breakdown",
    "derive",
    "no_exception",
    "update_clock",
    "withdraw",
]
