"""The speed of business time: nights pass in seconds, rush hours and chats slowly.

A promise of one minute needs a minute that lasts longer than the system's latency; a night of nine
hours does not. So each phase of the day has its own speed, which is lower on a busy machine: broken
promises are then caused by the simulated specialists, not by the machine.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Self

__all__ = ["PHASES", "Phase", "TimeScale"]

_SAME: Final = 1.25
_SLOWDOWN_MAX: Final = 4.0
"""The longest day on a busy machine, relative to the planned one."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of the day, until ``until_h`` hours past midnight UTC, and its share of real time.

    ``allows`` is the business time that one step through the system may take: at most a sixth of
    the shortest target, because a request needs several steps until it is answered.
    """

    name: str
    until_h: float
    share: float
    allows: timedelta


_EMAILS, _CALLBACKS, _CHATS = timedelta(minutes=10), timedelta(seconds=30), timedelta(seconds=10)

PHASES: Final = (
    Phase("night", 9.5, 6, _EMAILS),
    Phase("callback rush", 10.75, 12, _CALLBACKS),
    Phase("outage", 12, 4, _EMAILS),
    Phase("midday", 13.95, 2, _EMAILS),
    Phase("chat", 14.3, 9, _CHATS),
    Phase("evening", 24, 8, _EMAILS),
)


@dataclass(frozen=True, slots=True)
class _Segment:
    phase: Phase
    planned: float
    speed: float
    business: datetime
    real: datetime
    """Its start, in business time and in real time."""


@dataclass(frozen=True, slots=True)
class TimeScale:
    """Business time as a function of real time; after the day, the evening's speed continues."""

    segments: tuple[_Segment, ...]

    @classmethod
    def of_a_day(cls, midnight: datetime, started_at: datetime, lasts: timedelta) -> Self:
        """Plan a day that begins at the real time ``started_at``."""
        unit = lasts / sum(phase.share for phase in PHASES)
        segments, business, real = [], midnight, started_at
        for phase in PHASES:
            ends = midnight + timedelta(hours=phase.until_h)
            speed = (ends - business) / (unit * phase.share)
            segments.append(_Segment(phase, speed, speed, business, real))
            business, real = ends, real + unit * phase.share
        return cls(tuple(segments))

    def business_at(self, real: datetime) -> datetime:
        """Return the business time; before the start it is midnight."""
        segment = self._at(real)
        return segment.business + max(real - segment.real, timedelta()) * segment.speed

    def real_at(self, business: datetime) -> datetime:
        """Return the real time of a business time: the inverse of `business_at`."""
        index = bisect_right(self.segments, business, key=lambda s: s.business) - 1
        segment = self.segments[max(index, 0)]
        return segment.real + (business - segment.business) / segment.speed

    def phase_at(self, real: datetime) -> tuple[str, float]:
        """Return the phase's name, and its speed relative to real time."""
        segment = self._at(real)
        return segment.phase.name, segment.speed

    def slowed(self, at: datetime, latency: timedelta) -> Self:
        """Continue from ``at`` at the planned speed, or slower if the real ``latency`` needs it.

        Times before ``at`` do not change, and business time has no gap.
        """
        here = self._at(at)
        past = [s for s in self.segments if s.real < here.real]
        segments = [*past, here] if here.real < at else past
        rest = [replace(here, business=self.business_at(at), real=at)]
        rest += [s for s in self.segments if s.real > at]
        real = at
        for number, segment in enumerate(rest):
            speed = _clamped(segment.phase.allows / latency, segment.planned)
            segments.append(replace(segment, speed=speed, real=real))
            if number + 1 < len(rest):
                real += (rest[number + 1].business - segment.business) / speed
        return replace(self, segments=tuple(segments))

    def differs(self, other: Self, real: datetime) -> bool:
        """Return whether the speeds at a real time differ by a quarter or more."""
        ratio = self._at(real).speed / other._at(real).speed
        return not 1 / _SAME < ratio < _SAME

    def sql(self) -> str:
        """Return `business_at` of ``now()`` as an SQL expression."""
        cases = [
            f"WHEN now() >= '{s.real.isoformat()}' THEN '{s.business.isoformat()}'::timestamptz"
            f" + (now() - '{s.real.isoformat()}'::timestamptz) * {s.speed!r}"
            for s in reversed(self.segments)
        ]
        first = self.segments[0].business.isoformat()
        return f"CASE {' '.join(cases)} ELSE '{first}'::timestamptz END"

    def _at(self, real: datetime) -> _Segment:
        index = bisect_right(self.segments, real, key=lambda s: s.real) - 1
        return self.segments[max(index, 0)]


def _clamped(speed: float, planned: float) -> float:
    return min(max(speed, planned / _SLOWDOWN_MAX), planned)
