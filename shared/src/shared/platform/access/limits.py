"""The rate limit of a key, as a token bucket."""

import math
from dataclasses import dataclass
from typing import Self

__all__ = ["Bucket", "Draw", "Rate"]


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests allowed per second, and how many at once after a pause (``burst``)."""

    per_s: int
    burst: int

    @property
    def window_s(self) -> int:
        """The seconds in which an empty bucket fills."""
        return math.ceil(self.burst / self.per_s)


@dataclass(frozen=True, slots=True)
class Draw:
    """The result of taking a token, with the values of the RateLimit header field."""

    allowed: bool
    remaining: int
    next_in_s: int
    """Seconds until the next token, at least 1; also the value of Retry-After."""


@dataclass(slots=True)
class Bucket:
    """The tokens available at ``at_s``, on a monotonic clock in seconds."""

    rate: Rate
    tokens: float
    at_s: float

    @classmethod
    def full(cls, rate: Rate, now_s: float) -> Self:
        """Make a full bucket."""
        return cls(rate, rate.burst, now_s)

    def draw(self, now_s: float) -> Draw:
        """Take a token if there is one; a refused attempt costs nothing."""
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
