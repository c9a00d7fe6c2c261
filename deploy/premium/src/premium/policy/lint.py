"""What shifts of clocks and holidays do to due times, before they do it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from typing import Final

from shared.calendars import Calendar, CalendarSpec, shifts, zone_info
from shared.policies import Policy, Rule, Terms
from shared.promises import ALWAYS, BUILT_IN, duration_of

__all__ = ["lint"]

type Wall = datetime
"""What a clock on the wall shows: a moment without a zone."""

_ACCOUNT: Final = "account"
_EXAMPLES: Final = (("Europe/Berlin", "DE"), ("America/New_York", "US"))
_DAY: Final = timedelta(days=1)
_MONTHS: Final = 24
_ASKED_AT: Final = (time(9), time(16), time(23, 30))


@dataclass(frozen=True, slots=True)
class _Place:
    """A calendar on one wall, and what it would be if no clock and no holiday moved it."""

    zone: str
    calendar: Calendar
    undisturbed: Calendar

    def due(self, asked: Wall, target: timedelta) -> Wall:
        """Say when a request of that time on the wall is due."""
        start = asked.replace(tzinfo=zone_info(self.zone)).astimezone(UTC)
        due_at = self.calendar.add_business(start, target)
        return due_at.astimezone(zone_info(self.zone)).replace(tzinfo=None)

    def due_undisturbed(self, asked: Wall, target: timedelta) -> Wall:
        """Say the same by a wall clock that is never moved: UTC will do."""
        due_at = self.undisturbed.add_business(asked.replace(tzinfo=UTC), target)
        return due_at.replace(tzinfo=None)


def lint(
    policy: Policy, *, since: date, zones: Sequence[str] = (), regions: Sequence[str] = ()
) -> Iterator[str]:
    """Tell all shifts and holidays of 24 months, and what becomes of requests made on the eve.

    Raises ValueError for a zone or a region that nobody knows.
    """
    until = since.replace(year=since.year + _MONTHS // 12, day=min(since.day, 28))
    yield f"policy {policy.policy_id}, version {policy.version}: {since} to {until}"
    for name, spec in {ALWAYS: BUILT_IN[ALWAYS], **policy.calendars}.items():
        counted = [(r, t) for r in policy.rules for t in r.promises if t.calendar == name]
        for zone, region in _walls(spec, zones, regions) if counted else ():
            yield ""
            yield f"calendar {name}, {', '.join(filter(None, (zone, region)))}"
            yield from _of_wall(spec, zone, region, counted, (since, until))


def _walls(
    spec: CalendarSpec, zones: Sequence[str], regions: Sequence[str]
) -> list[tuple[str, str | None]]:
    """List where to look: by default at the calendar's own zone, else at two examples."""
    own = [] if spec.zone == _ACCOUNT else [spec.zone]
    if spec == BUILT_IN[ALWAYS]:
        return [(zone, None) for zone in zones or [zone for zone, _ in _EXAMPLES]]
    if own or zones or regions:
        places = own or zones or [zone for zone, _ in _EXAMPLES]
        return [(zone, region) for zone in places for region in regions or (None,)]
    return [*_EXAMPLES]


def _of_wall(
    spec: CalendarSpec,
    zone: str,
    region: str | None,
    counted: Sequence[tuple[Rule, Terms]],
    span: tuple[date, date],
) -> Iterator[str]:
    since, until = span
    begin, end = (datetime.combine(day, time(), zone_info(zone)) for day in span)
    calendar = spec.bound(zone=zone, region=region)
    on_utc = spec.model_copy(update={"zone": _ACCOUNT})
    plain = on_utc.model_copy(update={"holidays": (), "closed": (), "half_days": {}})
    found: list[tuple[date, str, Calendar]] = []
    for shift in shifts(zone, begin, end):
        at = shift.at.astimezone(zone_info(zone))
        told = f"{at:%a %Y-%m-%d %H:%M} clocks go from {_offset(shift.before)} to {at:%:z}"
        found.append((at.date(), told, on_utc.bound(zone="UTC", region=region)))
    for holiday in calendar.holidays_between(since, until):
        told = f"{holiday.date:%a %Y-%m-%d} {holiday.name}"
        found.append((holiday.date, told, plain.bound(zone="UTC", region=region)))
    for day, told, undisturbed in sorted(found, key=lambda change: change[:2]):
        yield f"  {told}"
        moved = [*_moved(_Place(zone, calendar, undisturbed), day - _DAY, counted)]
        yield from moved or ["      no due time of the sample moves"]


def _moved(place: _Place, eve: date, counted: Sequence[tuple[Rule, Terms]]) -> Iterator[str]:
    for (rule, terms), at in product(counted, _ASKED_AT):
        asked, target = datetime.combine(eve, at), duration_of(terms.target)
        due, otherwise = place.due(asked, target), place.due_undisturbed(asked, target)
        if due != otherwise:
            yield (
                f"      {rule.name} {terms.kind} {terms.target}: asked {asked:%a %m-%d %H:%M},"
                f" due {due:%a %m-%d %H:%M}, not {otherwise:%a %m-%d %H:%M}"
            )


def _offset(offset: timedelta) -> str:
    """Write a distance from UTC as +01:00."""
    minutes = int(offset.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
