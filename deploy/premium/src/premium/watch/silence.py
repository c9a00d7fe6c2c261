"""Whether silence on a topic can be trusted: by the age of each partition's watermark.

Business time may differ from real time, so the age of a watermark counts from the arrival of its
record here. Records from before the watch began prove nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.events import WatermarkAdvanced

__all__ = ["AGE_S_MAX", "Proof", "Silence"]

AGE_S_MAX: Final = 5.0
"""sla-monitor publishes watermarks once a second; after 5 s without one it may be dead."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How far silence can be trusted at one moment.

    ``age_s`` is the age of the oldest watermark, that of the partition ``oldest``; a partition
    without a watermark ages from the start of the watch. ``evaluated_to`` is the earliest time
    that any watermark states.
    """

    age_s: float
    oldest: int
    partitions_missing: int
    partitions: int
    evaluated_to: datetime | None
    open: int
    lag_ms_max: int

    @property
    def holds(self) -> bool:
        """Whether every partition has a recent watermark."""
        return not self.partitions_missing and not self.is_too_old

    @property
    def is_too_old(self) -> bool:
        """Whether a partition has had no watermark for too long, so that an operator must look."""
        return self.age_s > AGE_S_MAX


class Silence:
    """Keeps the last watermark of each partition. Times are seconds of a monotonic clock."""

    def __init__(self, partitions: Collection[int], *, since_s: float) -> None:
        self._partitions = sorted(partitions)
        self._since_s = since_s
        self._last: dict[int, tuple[float, WatermarkAdvanced]] = {}

    def add(self, watermark: WatermarkAdvanced, *, at_s: float) -> None:
        """Keep a watermark that arrived at ``at_s``."""
        self._last[watermark.partition] = at_s, watermark

    def proof(self, *, now_s: float) -> Proof:
        """Return how far silence can be trusted now."""
        ages = {p: now_s - self._arrived_s(p) for p in self._partitions}
        oldest = max(self._partitions, key=lambda partition: ages[partition])
        last = [watermark for _, watermark in self._last.values()]
        return Proof(
            age_s=ages[oldest],
            oldest=oldest,
            partitions_missing=len(self._partitions) - len(last),
            partitions=len(self._partitions),
            evaluated_to=min((watermark.evaluated_to for watermark in last), default=None),
            open=sum(watermark.open for watermark in last),
            lag_ms_max=max((watermark.lag_ms_max for watermark in last), default=0),
        )

    def _arrived_s(self, partition: int) -> float:
        last = self._last.get(partition)
        return self._since_s if last is None else last[0]
