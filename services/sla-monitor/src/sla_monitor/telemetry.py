"""The metrics of sla-monitor."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

__all__ = ["LAG_S", "REEVALUATED", "SKIPPED", "SWEPT", "WATERMARK_AGE_S"]

LAG_S: Final = Histogram(
    "premium_due_lag_seconds",
    "From due to announced in the database, in business time",
    buckets=(0.005, 0.01, 0.02, 0.04, 0.1, 0.25, 0.5, 1, 5, 60, 3600),
)
REEVALUATED: Final = Counter(
    "premium_tickets_reevaluated", "Tickets judged again after a change of declared exceptions"
)
SWEPT: Final = Counter("premium_clocks_swept", "Clocks that had something due")
SKIPPED: Final = Counter(
    "premium_warnings_skipped", "Warnings left out because something greater was due by then"
)
WATERMARK_AGE_S: Final = Gauge(
    "premium_watermark_age_seconds", "From the oldest watermark to now, in business time"
)
