"""How fast a key may ask: a bucket of tokens that fills steadily and is drawn from."""

import math
from dataclasses import dataclass
from typing import Self

__all__ = ["Bucket", "Draw", "Rate"]


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests a second, and so many at once after a quiet while."""

    per_s: int
    burst: int

    @property
    def window_s(self) -> int:
        """In how many seconds an empty bucket fills."""
        return math.ceil(self.burst / self.per_s)


@dataclass(frozen=True, slots=True)
class Draw:
    """What became of a request for a token. The figures are those of the RateLimit field."""

    allowed: bool
    remaining: int
    next_in_s: int
    """When there will be one token more: what Retry-After says, too, 1 at least."""


@dataclass(slots=True)
class Bucket:
    """The tokens there were at a moment of a clock that never steps."""

    rate: Rate
    tokens: float
    at_s: float

    @classmethod
    def full(cls, rate: Rate, now_s: float) -> Self:
        """Begin with all that may be had at once."""
        return cls(rate, rate.burst, now_s)

    def draw(self, now_s: float) -> Draw:
        """Take a token if there is one; who finds none loses nothing by asking."""
        gained = max(now_s - self.at_s, 0.0) * self.rate.per_s
        self.tokens = min(self.tokens + gained, self.rate.burst)
        self.at_s = now_s
        allowed = self.tokens >= 1
        self.tokens -= allowed
        lacking = int(self.tokens) + 1 - self.tokens
        return Draw(
            allowed,
            remaining=int(self.tokens),
            next_in_s=max(math.ceil(lacking / self.rate.per_s), 1),
        )
