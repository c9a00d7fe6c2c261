"""A promise on a ticket, with everything that is needed to compute its due time.

Policies decide which promises a request gets: see `shared.sla.policies`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from operator import eq, is_
from typing import Any, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from shared.sla.calendars import Calendar, CalendarSpec

__all__ = [
    "ALWAYS",
    "BUILT_IN",
    "CAUSES",
    "WALL_UNITS",
    "WARNINGS",
    "WARNING_POINTS",
    "Cause",
    "Channel",
    "Pause",
    "Promise",
    "PromiseClass",
    "PromiseKind",
    "Role",
    "Severity",
    "added",
    "due_after_pauses",
    "duration_of",
    "warn_at",
]

type Channel = Literal["email", "phone", "chat"]
type Role = Literal["super_admin", "seat"]
type Severity = Literal["standard", "business_critical"]
type PromiseKind = Literal["first_response", "next_response", "resolution", "callback", "join"]
type PromiseClass = Literal["guarantee", "objective"]
type Cause = Literal["customer", "vendor", "other"]
"""For whom a ticket waits."""

WARNING_POINTS = (50, 80)
"""The default warnings, in percent of the target used up."""
WARNINGS: Final = ("50%", "80%")
"""The default warnings, as a promise writes them."""
CAUSES: Final[tuple[Cause, ...]] = ("customer", "vendor", "other")
ALWAYS: Final = "always"
"""The built-in calendar in which every second counts."""
BUILT_IN: Final = {
    ALWAYS: CalendarSpec(zone="UTC", hours="always"),
    "business_week": CalendarSpec(zone="account", hours={"mon-fri": ("09:00-17:00",)}),
}
"""The calendars that a promise may name without a ``calendar_spec``."""

_DURATION: Final = re.compile(r"(-?\d{1,9}) ?([a-z]+)")
_UNITS: Final[Mapping[str, timedelta]] = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
}
WALL_UNITS: Final[Mapping[str, timedelta]] = {**_UNITS, "d": timedelta(days=1)}
"""Units of wall time. Business time has no days, because a day's hours depend on the calendar."""
_PERCENT: Final = re.compile(r"(\d{1,3})%")
_PERCENT_MAX: Final = 100
_LEFT: Final = " left"


def added(default: object) -> Any:  # noqa: ANN401 - a field's default is any, as pydantic's own
    """Declare an optional field that was added later; its default is not serialised.

    So the serialised form of old events does not change.
    """
    is_default = partial(is_, None) if default is None else partial(eq, default)
    return Field(default, exclude_if=is_default)


class Promise(BaseModel):
    """One promise on one ticket. ``target_s`` is in seconds of ``calendar`` time.

    ``due_at`` is None if the clock does not start with the create date. ``exception`` names the
    exception window that turned a guarantee into an objective.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: PromiseKind
    promise_class: PromiseClass
    target_s: int
    calendar: str
    time_zone: str
    due_at: AwareDatetime | None
    rule: str
    calendar_spec: CalendarSpec | None = added(None)
    calendar_version: str = added("")
    region: str | None = added(None)
    warnings: tuple[str, ...] = added(WARNINGS)
    pause_on: tuple[Cause, ...] = added(CAUSES)
    exception: str | None = added(None)

    @model_validator(mode="after")
    def _calendar_is_known(self) -> Self:
        if self.calendar_spec is None and self.calendar not in BUILT_IN:
            raise ValueError(f"calendar_spec is missing; only {', '.join(BUILT_IN)} need none")
        return self

    @property
    def target(self) -> timedelta:
        """The target, in calendar time."""
        return timedelta(seconds=self.target_s)

    @property
    def warnings_used_s(self) -> tuple[int, ...]:
        """The seconds of the target that are used up at each warning, in order."""
        return _used_s(self.warnings, self.target_s)

    def bound_calendar(self) -> Calendar:
        """Return the calendar of this promise, as it was when the promise was made."""
        if self.calendar_spec is None:
            return _built_in(self.calendar, self.time_zone, self.region)
        return self.calendar_spec.bound(zone=self.time_zone, region=self.region)


@lru_cache(maxsize=1024)
def _built_in(name: str, zone: str, region: str | None) -> Calendar:
    return BUILT_IN[name].bound(zone=zone, region=region)


@lru_cache(maxsize=256)
def _used_s(warnings: tuple[str, ...], target_s: int) -> tuple[int, ...]:
    used = (warn_at(point, timedelta(seconds=target_s)) for point in warnings)
    return tuple(sorted(int(each.total_seconds()) for each in used))


@dataclass(frozen=True, slots=True)
class Pause:
    """A span in which no time counts; ``until`` is None while the pause lasts."""

    since: datetime
    until: datetime | None


def duration_of(text: str, *, units: Mapping[str, timedelta] = _UNITS) -> timedelta:
    """Parse "90 s", "30 min" or "8 h"; zero and negative values are allowed.

    Raises:
        ValueError: the text is no duration.
    """
    match = _DURATION.fullmatch(text)
    if match is None or match[2] not in units:
        *names, last = units
        named = f"{', '.join(names)} or {last}"
        raise ValueError(f"{text!r} is no duration; write a whole number and {named}: '30 min'")
    return int(match[1]) * units[match[2]]


def warn_at(point: str, target: timedelta) -> timedelta:
    """Return how much of ``target`` is used up at a warning point: "50%", or "15 min left".

    Raises:
        ValueError: the text is no warning point, or it lies outside the target.
    """
    if match := _PERCENT.fullmatch(point):
        if not 0 < int(match[1]) < _PERCENT_MAX:
            raise ValueError(f"{point!r} is past the target; choose from 1% to 99%")
        return target * int(match[1]) / 100
    if not point.endswith(_LEFT):
        raise ValueError(f"{point!r} is no warning point; write '50%' or '15 min left'")
    left = duration_of(point.removesuffix(_LEFT))
    if not timedelta(0) < left < target:
        raise ValueError(f"{point!r} is past the target; warn when less than the target is left")
    return target - left


def due_after_pauses(
    calendar: Calendar, start: datetime, target: timedelta, pauses: Sequence[Pause]
) -> datetime | None:
    """Return when ``target`` of calendar time is used up; time within pauses does not count.

    ``pauses`` are in order and do not overlap. Returns None if a pause that still lasts began
    before that: nothing is due.
    """
    left, at = target, start
    for pause in pauses:
        if pause.since > at:
            used = calendar.business_between(at, pause.since)
            if used >= left:
                return calendar.add_business(at, left)
            left -= used
        if pause.until is None:
            return None
        at = max(at, pause.until)
    return calendar.add_business(at, left)
