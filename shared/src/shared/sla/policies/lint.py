"""A preview of the due times that clock changes and holidays will move."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from typing import Final

from shared.sla.calendars import Calendar, CalendarSpec, offset_changes, zone_info
from shared.sla.policies import Policy, PolicyRule, Terms
from shared.sla.promises import ALWAYS, BUILT_IN, duration_of

__all__ = ["lint"]

type Wall = datetime
"""A local time without its zone."""
type _Counted = tuple[PolicyRule, Terms]
"""A rule, and one of its promises."""

_ACCOUNT: Final = "account"
_EXAMPLES: Final = (("Europe/Berlin", "DE"), ("America/New_York", "US"))
_DAY: Final = timedelta(days=1)
_SHORTLY: Final = timedelta(minutes=30)
_MONTHS: Final = 24
_ASKED_AT: Final = (time(9), time(16), time(23, 30))


@dataclass(frozen=True, slots=True)
class _Place:
    """A calendar in one zone, and the same in UTC, so without clock changes or even holidays."""

    zone: str
    calendar: Calendar
    undisturbed: Calendar

    def due(self, asked: Wall, target: timedelta) -> datetime:
        """Return when a request that was asked at a local time is due, in local time."""
        start = asked.replace(tzinfo=zone_info(self.zone)).astimezone(UTC)
        return self.calendar.add_business(start, target).astimezone(zone_info(self.zone))

    def due_undisturbed(self, asked: Wall, target: timedelta) -> Wall:
        """Return when it would be due by ``undisturbed``, as if the local clock never changed."""
        due_at = self.undisturbed.add_business(asked.replace(tzinfo=UTC), target)
        return due_at.replace(tzinfo=None)


def lint(
    policy: Policy, *, since: date, zones: Sequence[str] = (), regions: Sequence[str] = ()
) -> Iterator[str]:
    """List all clock changes and holidays of 24 months, with the due times they move.

    The sample is requests at fixed times of the day before, and one just before a clock change.

    Raises:
        ValueError: an unknown zone or region.
    """
    until = since.replace(year=since.year + _MONTHS // 12, day=min(since.day, 28))
    yield f"policy {policy.policy_id}, version {policy.version}: {since} to {until}"
    for name, spec in {ALWAYS: BUILT_IN[ALWAYS], **policy.calendars}.items():
        counted = [(r, t) for r in policy.rules for t in r.promises if t.calendar == name]
        for wall in _walls(spec, zones, regions) if counted else ():
            yield ""
            yield f"calendar {name}, {', '.join(filter(None, wall))}"
            yield from _of_wall(spec, wall, counted, (since, until))


def _walls(
    spec: CalendarSpec, zones: Sequence[str], regions: Sequence[str]
) -> list[tuple[str, str | None]]:
    """List zones with a region: the calendar's own zone, else those asked for, else examples."""
    own = [] if spec.zone == _ACCOUNT else [spec.zone]
    if spec == BUILT_IN[ALWAYS]:
        return [(zone, None) for zone in zones or [zone for zone, _ in _EXAMPLES]]
    if own or zones or regions:
        places = own or zones or [zone for zone, _ in _EXAMPLES]
        return [(zone, region) for zone in places for region in regions or (None,)]
    return [*_EXAMPLES]


def _of_wall(
    spec: CalendarSpec,
    wall: tuple[str, str | None],
    counted: Sequence[_Counted],
    span: tuple[date, date],
) -> Iterator[str]:
    zone, region = wall
    calendar = spec.bound(zone=zone, region=region)
    on_utc = spec.model_copy(update={"zone": _ACCOUNT})
    still = _Place(zone, calendar, on_utc.bound(zone="UTC", region=region))
    open_ = _Place(zone, calendar, _without_closures(on_utc).bound(zone="UTC", region=region))
    found = [(day, text, still, before) for day, text, before in _shifts(zone, span)]
    found += [
        (holiday.date, f"{holiday.date:%a %Y-%m-%d} {holiday.name}", open_, ())
        for holiday in calendar.holidays_between(*span)
    ]
    for day, text, place, before in sorted(found, key=lambda change: change[:2]):
        yield f"  {text}"
        asked = [*(datetime.combine(day - _DAY, at) for at in _ASKED_AT), *before]
        yield from [*_moved(place, asked, counted)] or ["      no due time of the sample moves"]


def _shifts(zone: str, span: tuple[date, date]) -> Iterator[tuple[date, str, tuple[Wall, ...]]]:
    """List the clock changes of a zone: date, description, and a local time shortly before."""
    begin, end = (datetime.combine(day, time(), zone_info(zone)) for day in span)
    for shift in offset_changes(zone, begin, end):
        before, after = (shift.at.replace(tzinfo=None) + d for d in (shift.before, shift.after))
        offsets = f"{_offset(shift.before)} to {_offset(shift.after)}"
        text = f"{before:%a %Y-%m-%d %H:%M} clocks go to {after:%H:%M}, from {offsets}"
        yield before.date(), text, (before - _SHORTLY,)


def _without_closures(spec: CalendarSpec) -> CalendarSpec:
    """Remove holidays, closed and half days in all versions; keep the hours of the week."""
    plain = {"holidays": None, "closed": None, "half_days": None}
    versions = tuple(version.model_copy(update=plain) for version in spec.versions)
    nothing = {"holidays": (), "closed": (), "half_days": {}, "versions": versions}
    return spec.model_copy(update=nothing)


def _moved(place: _Place, asked: Sequence[Wall], counted: Sequence[_Counted]) -> Iterator[str]:
    for (rule, terms), at in product(counted, asked):
        target = duration_of(terms.target)
        due, otherwise = place.due(at, target), place.due_undisturbed(at, target)
        if due.replace(tzinfo=None) != otherwise:
            yield (
                f"      {rule.name} {terms.kind} {terms.target}: asked {at:%a %m-%d %H:%M},"
                f" due {due:%a %m-%d %H:%M%:z}, not {otherwise:%a %m-%d %H:%M}"
            )


def _offset(offset: timedelta) -> str:
    """Format an offset from UTC as +01:00."""
    minutes = int(offset.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
