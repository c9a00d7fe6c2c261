"""The sizes of each part; options may change them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["PLANS", "Part", "Plan"]


class Part(StrEnum):
    """What can be measured."""

    PEERS = "peers"
    LOAD = "load"
    INSTANT = "instant"
    KILLS = "kills"
    EXCEPTION = "exception"


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes: ``at_once`` clocks are due at one instant, ``rate_hz`` a second for ``seconds``."""

    open: int
    rate_hz: float
    seconds: float
    at_once: int
    repeats: int
    kills: int

    @property
    def count(self) -> int:
        """The number of clocks that fall due at the rate."""
        return round(self.rate_hz * self.seconds)


PLANS: Final = {
    Part.PEERS: Plan(300_000, rate_hz=200, seconds=20, at_once=10_000, repeats=3, kills=0),
    Part.LOAD: Plan(3_000_000, rate_hz=500, seconds=60, at_once=0, repeats=1, kills=0),
    Part.INSTANT: Plan(3_000_000, rate_hz=0, seconds=0, at_once=100_000, repeats=1, kills=0),
    Part.KILLS: Plan(3_000_000, rate_hz=500, seconds=100, at_once=0, repeats=1, kills=5),
    Part.EXCEPTION: Plan(100_000, rate_hz=100, seconds=60, at_once=0, repeats=1, kills=0),
}
