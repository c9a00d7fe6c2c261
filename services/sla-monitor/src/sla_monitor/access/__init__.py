"""Who may use sla-monitor's HTTP door: the scope, and the accounts that a key is limited to."""

from sla_monitor.access.holders import Reader, sees
from sla_monitor.access.store import accounts_of

__all__ = ["Reader", "accounts_of", "sees"]
