"""How fast the day is played: nights in a moment, the rush and the chats slowly enough to see.

A promise of one minute needs a minute that lasts longer than a request takes through the system;
a night of nine hours does not. So business time runs at a speed of its own in each scene.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

__all__ = ["SCENES", "Pace", "Scene"]


@dataclass(frozen=True, slots=True)
class Scene:
    """A stretch of the day, to ``until_h`` hours past midnight UTC, and its share of the play."""

    name: str
    until_h: float
    share: float


SCENES: Final = (
    Scene("night", 8.9, 3.5),
    Scene("morning", 9.95, 3),
    Scene("callback rush", 10.5, 8),
    Scene("outage", 12.5, 5.5),
    Scene("midday", 13.95, 4),
    Scene("chat hours", 15.6, 12),
    Scene("evening", 24, 4),
)
_FOREVER: Final = timedelta(days=1)
"""Longer than anybody plays one day."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    name: str
    begins: timedelta
    lasts: timedelta
    speed: float


@dataclass(frozen=True, slots=True)
class Pace:
    """Business time of one day as a function of real time; past the day the evening goes on.

    ``midnight`` is where the day begins in business time, ``started_at`` in real time.
    """

    midnight: datetime
    started_at: datetime
    lasts: timedelta

    def business_at(self, real: datetime) -> datetime:
        """Say what time it is in the play."""
        played = real - self.started_at
        passed = (_within(played - s.begins, s.lasts) * s.speed for s in self._stretches())
        return self.midnight + sum(passed, timedelta())

    def real_at(self, business: datetime) -> datetime:
        """Say when it will be ``business`` in the play: the inverse of `business_at`."""
        left, spent = business - self.midnight, timedelta()
        for stretch in self._stretches():
            here = _within(left, stretch.lasts * stretch.speed)
            left, spent = left - here, spent + here / stretch.speed
        return self.started_at + spent

    def scene_at(self, real: datetime) -> tuple[str, float]:
        """Name the scene, and how many times faster than life it is played."""
        played = real - self.started_at
        return next((s.name, s.speed) for s in self._stretches() if played < s.begins + s.lasts)

    def sql(self) -> str:
        """Write `business_at` of ``now()`` as an expression for PostgreSQL."""
        passed = (
            f"least(greatest(now() - '{(self.started_at + s.begins).isoformat()}'::timestamptz,"
            f" interval '0'), interval '{s.lasts.total_seconds():f} s') * {s.speed!r}"
            for s in self._stretches()
        )
        return " + ".join((f"'{self.midnight.isoformat()}'::timestamptz", *passed))

    def _stretches(self) -> Iterator[_Stretch]:
        unit = self.lasts / sum(scene.share for scene in SCENES)
        begins, opens_h = timedelta(), 0.0
        for scene in SCENES:
            lasts = unit * scene.share
            speed = timedelta(hours=scene.until_h - opens_h) / lasts
            is_last = scene is SCENES[-1]
            yield _Stretch(scene.name, begins, _FOREVER if is_last else lasts, speed)
            begins, opens_h = begins + lasts, scene.until_h


def _within(span: timedelta, most: timedelta) -> timedelta:
    return min(max(span, timedelta()), most)
