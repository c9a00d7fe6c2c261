"""The spans of calendar time that a clock counts: what "why is it due then" is answered with."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from shared.calendars import Calendar
from shared.promises import Pause

__all__ = ["Span", "counted", "counted_time"]

_TICK: Final = timedelta(microseconds=1)
_STRIDE: Final = timedelta(hours=1)
_NOTHING: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch in which every second counts."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        """How much it counts."""
        return self.until - self.since


def counted(
    calendar: Calendar, since: datetime, until: datetime, pauses: Sequence[Pause]
) -> list[Span]:
    """List the calendar's spans from ``since`` to ``until``, the pauses left out.

    ``pauses`` are in order and do not overlap.
    """
    gaps = _between(since, until, pauses)
    return [span for gap in gaps for span in _working(calendar, gap.since, gap.until)]


def counted_time(
    calendar: Calendar, since: datetime, until: datetime, pauses: Sequence[Pause]
) -> timedelta:
    """Add up what `counted` lists, without listing it."""
    gaps = _between(since, until, pauses)
    return sum((calendar.business_between(gap.since, gap.until) for gap in gaps), _NOTHING)


def _between(since: datetime, until: datetime, pauses: Iterable[Pause]) -> Iterator[Span]:
    at = since
    for pause in pauses:
        if at < min(pause.since, until):
            yield Span(at, min(pause.since, until))
        if pause.until is None:
            return
        at = max(at, pause.until)
    if at < until:
        yield Span(at, until)


def _working(calendar: Calendar, since: datetime, until: datetime) -> Iterator[Span]:
    at = since
    while calendar.business_between(at, until) > _NOTHING:
        opens = calendar.add_business(at, _TICK) - _TICK
        at = _closing(calendar, opens, until)
        yield Span(opens, at)


def _closing(calendar: Calendar, opens: datetime, until: datetime) -> datetime:
    """Find the last instant up to which all time counts: by strides, then by halves.

    It asks only what every calendar can answer, whatever it is made of.
    """

    def all_counts(to: datetime) -> bool:
        return calendar.business_between(opens, to) == to - opens

    if all_counts(until):
        return until
    stride = _STRIDE
    while all_counts(opens + stride):
        stride *= 2
    low, high = opens + stride // 2 if stride > _STRIDE else opens, opens + stride
    while high - low > _TICK:
        middle = low + (high - low) // 2
        low, high = (middle, high) if all_counts(middle) else (low, middle)
    return low
