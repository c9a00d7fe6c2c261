"""The spans of calendar time that a clock counts, which explain its due time."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from shared.sla.calendars import Calendar, Span
from shared.sla.promises import Pause

__all__ = ["counted", "counted_time"]


def counted(
    calendar: Calendar, since: datetime, until: datetime, pauses: Iterable[Pause]
) -> tuple[Span, ...]:
    """Return the calendar's open spans from ``since`` to ``until``, without the pauses.

    ``pauses`` are in order and do not overlap.
    """
    gaps = _between(since, until, pauses)
    return tuple(span for gap in gaps for span in calendar.spans(gap.opens, gap.closes))


def counted_time(
    calendar: Calendar, since: datetime, until: datetime, pauses: Iterable[Pause]
) -> timedelta:
    """Return the total length of the spans of `counted`."""
    gaps = _between(since, until, pauses)
    return sum((calendar.business_between(*gap) for gap in gaps), timedelta(0))


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
