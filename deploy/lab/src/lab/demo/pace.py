"""How fast the day is played: nights in a moment, the rush and the chats slowly enough to see.

A promise of one minute needs a minute that lasts longer than a request takes through the system;
a night of nine hours does not. So business time runs at a speed of its own in each scene, and
more slowly where the machine is busy: what is broken then is the specialists' doing, not ours.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Self

__all__ = ["SCENES", "Pace", "Scene"]

_SAME: Final = 1.25
_BRAKE_MAX: Final = 4.0
"""A day on a busy machine lasts at most so many times as long."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A stretch of the day, to ``until_h`` hours past midnight UTC, and its share of the play.

    ``allows`` is the business time that a fact may take through the system without harm: a
    sixth of the shortest target or less, for a request takes several steps until it is answered.
    """

    name: str
    until_h: float
    share: float
    allows: timedelta


_EMAILS, _CALLBACKS, _CHATS = timedelta(minutes=10), timedelta(seconds=30), timedelta(seconds=10)

SCENES: Final = (
    Scene("night", 9.5, 6, _EMAILS),
    Scene("callback rush", 10.75, 12, _CALLBACKS),
    Scene("outage", 12, 4, _EMAILS),
    Scene("midday", 13.95, 2, _EMAILS),
    Scene("chat", 14.3, 9, _CHATS),
    Scene("evening", 24, 8, _EMAILS),
)


@dataclass(frozen=True, slots=True)
class _Stretch:
    scene: Scene
    planned: float
    speed: float
    business: datetime
    real: datetime
    """Where it begins, in business time and in real time."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Business time as a function of real time; past the day the evening goes on."""

    stretches: tuple[_Stretch, ...]

    @classmethod
    def of_a_day(cls, midnight: datetime, started_at: datetime, lasts: timedelta) -> Self:
        """Plan a day that begins at ``started_at``, real time."""
        unit = lasts / sum(scene.share for scene in SCENES)
        stretches, business, real = [], midnight, started_at
        for scene in SCENES:
            ends = midnight + timedelta(hours=scene.until_h)
            speed = (ends - business) / (unit * scene.share)
            stretches.append(_Stretch(scene, speed, speed, business, real))
            business, real = ends, real + unit * scene.share
        return cls(tuple(stretches))

    def business_at(self, real: datetime) -> datetime:
        """Say what time it is in the play; before it begins, midnight."""
        stretch = self._at(real)
        return stretch.business + max(real - stretch.real, timedelta()) * stretch.speed

    def real_at(self, business: datetime) -> datetime:
        """Say when it will be ``business`` in the play: the inverse of `business_at`."""
        index = bisect_right(self.stretches, business, key=lambda s: s.business) - 1
        stretch = self.stretches[max(index, 0)]
        return stretch.real + (business - stretch.business) / stretch.speed

    def scene_at(self, real: datetime) -> tuple[str, float]:
        """Name the scene, and how many times faster than life it is played."""
        stretch = self._at(real)
        return stretch.scene.name, stretch.speed

    def braked(self, at: datetime, latency: timedelta) -> Self:
        """Go on from ``at`` as fast as planned, or as a fact's ``latency`` (real) allows.

        Nothing before ``at`` is changed, and no time is skipped or run back.
        """
        here = self._at(at)
        past = [s for s in self.stretches if s.real < here.real]
        stretches = [*past, here] if here.real < at else past
        rest = [replace(here, business=self.business_at(at), real=at)]
        rest += [s for s in self.stretches if s.real > at]
        real = at
        for number, stretch in enumerate(rest):
            speed = _clamped(stretch.scene.allows / latency, stretch.planned)
            stretches.append(replace(stretch, speed=speed, real=real))
            if number + 1 < len(rest):
                real += (rest[number + 1].business - stretch.business) / speed
        return replace(self, stretches=tuple(stretches))

    def differs(self, other: Self, real: datetime) -> bool:
        """Tell whether the speeds at a moment are worth a change."""
        ratio = self._at(real).speed / other._at(real).speed
        return not 1 / _SAME < ratio < _SAME

    def sql(self) -> str:
        """Write `business_at` of ``now()`` as an expression for PostgreSQL."""
        cases = [
            f"WHEN now() >= '{s.real.isoformat()}' THEN '{s.business.isoformat()}'::timestamptz"
            f" + (now() - '{s.real.isoformat()}'::timestamptz) * {s.speed!r}"
            for s in reversed(self.stretches)
        ]
        first = self.stretches[0].business.isoformat()
        return f"CASE {' '.join(cases)} ELSE '{first}'::timestamptz END"

    def _at(self, real: datetime) -> _Stretch:
        index = bisect_right(self.stretches, real, key=lambda s: s.real) - 1
        return self.stretches[max(index, 0)]


def _clamped(speed: float, planned: float) -> float:
    return min(max(speed, planned / _BRAKE_MAX), planned)
