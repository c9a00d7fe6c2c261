"""Time zones from the pinned package tzdata, so that all machines compute the same times."""

from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple
from zoneinfo import ZoneInfo

import tzdata
from tzlocal.windows_tz import win_tz

__all__ = [
    "EPOCH",
    "OffsetChange",
    "Segment",
    "country_of",
    "known_zone",
    "offset_changes",
    "segments",
    "tzdata_version",
    "zone_info",
    "zone_names",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_PACKAGE = files("tzdata")
_SECOND_US = 1_000_000
_PROBE_S = 86_400
"""The search step. No zone of tzdata changes its offset twice within six days; a test checks it."""


class OffsetChange(NamedTuple):
    """A change of a zone's UTC offset at ``at``, such as the start of daylight saving time."""

    at: datetime
    before: timedelta
    after: timedelta


class Segment(NamedTuple):
    """A span of constant UTC offset; all fields in microseconds, ``since`` and ``until`` of UTC."""

    since: int
    until: int
    offset: int


def tzdata_version() -> str:
    """Return the version of the zone data, for example 2026a."""
    return str(tzdata.IANA_VERSION)


@cache
def zone_names() -> frozenset[str]:
    """Return all IANA names of the package."""
    return frozenset((_PACKAGE / "zones").read_text("ascii").split())


def known_zone(name: str) -> str:
    """Return the IANA name of a zone, given its IANA or Windows name.

    Raises:
        ValueError: the zone is unknown; the message suggests the one probably meant.
    """
    if name in zone_names():
        return name
    if name in win_tz:
        return win_tz[name]
    near = get_close_matches(name, sorted(zone_names()), n=1)
    hint = f"did you mean '{near[0]}'?" if near else "write one such as Europe/Berlin"
    raise ValueError(f"unknown zone '{name}'; {hint}")


@cache
def country_of(zone: str) -> str | None:
    """Return the country (ISO 3166) of a zone, also by an old name; None for a zone such as UTC."""
    return _countries().get(zone) or _countries().get(_current_names().get(zone, zone))


@cache
def _countries() -> dict[str, str]:
    lines = (_PACKAGE / "zoneinfo" / "zone.tab").read_text("utf-8").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return {row[2]: row[0] for row in rows}


@cache
def _current_names() -> dict[str, str]:
    """Map old zone names, such as Asia/Calcutta, to the current ones."""
    lines = (_PACKAGE / "zoneinfo" / "tzdata.zi").read_text("ascii").splitlines()
    links = (line.split() for line in lines if line.startswith("L "))
    return {old: now for _, now, old in links}


@cache
def zone_info(name: str) -> ZoneInfo:
    """Load a zone from the package, never from the system's data."""
    with _PACKAGE.joinpath("zoneinfo", *known_zone(name).split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def offset_changes(zone: str, start: datetime, end: datetime) -> tuple[OffsetChange, ...]:
    """Return the changes of a zone's offset at ``start`` or later, and before ``end``."""
    second = timedelta(seconds=1)
    first, last = -((EPOCH - start) // second), -((EPOCH - end) // second)
    return tuple(
        OffsetChange(EPOCH + at * second, before * second, after * second)
        for at, before, after in _changes(zone, first - 1, last - 1)
    )


@lru_cache(maxsize=4096)
def segments(zone: str, begin: int, end: int) -> tuple[Segment, ...]:
    """Split a span where the offset changes; ``begin`` and ``end`` in microseconds since 1970.

    ``begin`` and ``end`` must be whole seconds.
    """
    since, found = begin, []
    offset = _offset_s(zone_info(zone), begin // _SECOND_US)
    for at, before, after in _changes(zone, begin // _SECOND_US, end // _SECOND_US - 1):
        found.append(Segment(since, at * _SECOND_US, before * _SECOND_US))
        since, offset = at * _SECOND_US, after
    return (*found, Segment(since, end, offset * _SECOND_US))


def _changes(zone: str, first: int, last: int) -> list[tuple[int, int, int]]:
    """Return (second of change, offset before, offset after) for first < second <= last."""
    info, found = zone_info(zone), []
    at, offset = first, _offset_s(info, first)
    while at < last:
        then = min(at + _PROBE_S, last)
        after = _offset_s(info, then)
        if after != offset:
            found.append((_bisect(info, at, then, offset), offset, after))
        at, offset = then, after
    return found


def _bisect(info: ZoneInfo, low: int, high: int, before: int) -> int:
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_s(info, middle) == before:
            low = middle
        else:
            high = middle
    return high


def _offset_s(info: ZoneInfo, at: int) -> int:
    offset = (EPOCH + timedelta(seconds=at)).astimezone(info).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())
