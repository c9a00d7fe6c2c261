"""Whether silence on a topic can be trusted: each partition's watermark, and how old it is.

Business time may run otherwise than real time, so a watermark's age is how long ago its record
arrived here. What lay on the topic before the watch began proves nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.events import WatermarkAdvanced

__all__ = ["AGE_S_MAX", "Proof", "Silence"]

AGE_S_MAX: Final = 5.0
"""Sla-monitor speaks once a second; after five without a word it may be dead."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How far silence goes at one moment.

    ``age_s`` is the age of the oldest watermark, on ``oldest``; of a partition that was not
    heard of, it is the time since the watch began. ``evaluated_to`` is the least of all heard.
    """

    age_s: float
    oldest: int
    unheard: int
    partitions: int
    evaluated_to: datetime | None
    open: int
    lag_ms_max: int

    @property
    def holds(self) -> bool:
        """Whether every partition was heard of lately."""
        return not self.unheard and not self.is_too_old

    @property
    def is_too_old(self) -> bool:
        """Whether somebody must look: no word for too long."""
        return self.age_s > AGE_S_MAX


class Silence:
    """Keeps the last watermark of each partition; times are seconds of a clock that never steps."""

    def __init__(self, partitions: Collection[int], *, since_s: float) -> None:
        self._partitions = sorted(partitions)
        self._since_s = since_s
        self._heard: dict[int, tuple[float, WatermarkAdvanced]] = {}

    def hear(self, watermark: WatermarkAdvanced, *, at_s: float) -> None:
        """Take a watermark that arrived just now."""
        self._heard[watermark.partition] = at_s, watermark

    def proof(self, *, now_s: float) -> Proof:
        """Say how far silence goes."""
        ages = {p: now_s - self._heard_s(p) for p in self._partitions}
        oldest = max(self._partitions, key=lambda partition: ages[partition])
        last = [watermark for _, watermark in self._heard.values()]
        return Proof(
            age_s=ages[oldest],
            oldest=oldest,
            unheard=len(self._partitions) - len(last),
            partitions=len(self._partitions),
            evaluated_to=min((word.evaluated_to for word in last), default=None),
            open=sum(word.open for word in last),
            lag_ms_max=max((word.lag_ms_max for word in last), default=0),
        )

    def _heard_s(self, partition: int) -> float:
        heard = self._heard.get(partition)
        return self._since_s if heard is None else heard[0]
