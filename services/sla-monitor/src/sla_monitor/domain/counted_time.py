"""The spans of calendar time that a clock counts: what "why is it due then" is answered with."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from shared.sla.calendars import Calendar, Span
from shared.sla.promises import Pause

__all__ = ["counted", "counted_time"]


def counted(
    calendar: Calendar, since: datetime, until: datetime, pauses: Iterable[Pause]
) -> tuple[Span, ...]:
    """List the calendar's spans from ``since`` to ``until``, the pauses left out.

    ``pauses`` are in order and do not overlap.
    """
    gaps = _between(since, until, pauses)
    return tuple(span for gap in gaps for span in calendar.spans(gap.opens, gap.closes))


def counted_time(
    calendar: Calendar, since: datetime, until: datetime, pauses: Iterable[Pause]
) -> timedelta:
    """Add up what `counted` lists, without listing it."""
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
