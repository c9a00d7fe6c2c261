"""Zone data: pinned to a package, complete, and as well-behaved as the engine takes it to be."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from importlib.resources import files
from itertools import pairwise
from struct import unpack_from

import pytest
from tzlocal.windows_tz import win_tz

from shared.sla.calendars import (
    CalendarSpec,
    OffsetChange,
    country_of,
    known_zone,
    offset_changes,
    tzdata_version,
    zone_info,
    zone_names,
)
from shared.testing.builders import an_account

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEAR_1800, YEAR_2000 = datetime(1800, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)
DAY_S = 86_400


def changes_of(zone: str) -> list[int]:
    """Read a TZif file (RFC 9636): the seconds of the epoch at which its offset changes."""
    content = files("tzdata").joinpath("zoneinfo", *zone.split("/")).read_bytes()
    isut, isstd, leaps, times, types, letters = unpack_from(">6l", content, 20)
    at = 44 + times * 5 + types * 6 + letters + leaps * 8 + isstd + isut
    *_, times, types, _ = unpack_from(">6l", content, at + 20)
    moments = unpack_from(f">{times}q", content, at + 44)
    kinds = content[at + 44 + 8 * times :][:times]
    told = at + 44 + 9 * times
    offsets = [unpack_from(">l", content, told + 6 * kind)[0] for kind in (0, *kinds)]
    return [at for at, (old, new) in zip(moments, pairwise(offsets), strict=True) if old != new]


def test_zone_data_is_the_packages() -> None:
    """The edition is the one in the lock file, whatever the system has."""
    year, letter = tzdata_version()[:4], tzdata_version()[4:]
    assert version("tzdata") == f"{year}.{ord(letter) - ord('a') + 1}"


def test_every_zone_can_be_read() -> None:
    """What is listed is there."""
    assert len(zone_names()) > 500
    assert {zone_info(name).key for name in zone_names()} == zone_names()


def test_a_file_that_is_no_zone_is_not_read() -> None:
    """Names are looked up, never taken for paths."""
    with pytest.raises(ValueError, match="unknown zone"):
        zone_info("../__init__.py")


@pytest.mark.parametrize("zone", sorted(zone_names()))
def test_no_zone_changes_twice_within_days(zone: str) -> None:
    """The engine looks for changes a day apart, so none may hide between two looks."""
    found = changes_of(zone)
    assert all(late - early > 6 * DAY_S for early, late in pairwise(found))


@pytest.mark.parametrize("zone", ["Asia/Gaza", "Africa/El_Aaiun", "America/Juneau"])
def test_every_change_is_found(zone: str) -> None:
    """What the zone's file lists is what shifts lists, to the second."""
    found = [shift.at for shift in offset_changes(zone, YEAR_1800, YEAR_2000)]
    written = [EPOCH + timedelta(seconds=at) for at in changes_of(zone)]
    assert found == [at for at in written if at < YEAR_2000]


def test_shifts_are_exact_and_half_open() -> None:
    """A change counts at its very instant, and no more at the end of what is asked for."""
    at = datetime(2026, 3, 29, 1, tzinfo=UTC)
    change = OffsetChange(at, timedelta(hours=1), timedelta(hours=2))
    moment = timedelta(microseconds=1)
    assert offset_changes("Europe/Berlin", at, at + moment) == (change,)
    assert offset_changes("Europe/Berlin", at - moment, at) == ()
    assert offset_changes("Europe/Berlin", at + moment, at + timedelta(days=90)) == ()


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("India Standard Time", "Asia/Calcutta"),
        ("Pacific Standard Time", "America/Los_Angeles"),
        ("UTC", "UTC"),
        ("Asia/Calcutta", "Asia/Calcutta"),
    ],
)
def test_a_zone_is_known_by_its_name_in_windows(name: str, zone: str) -> None:
    """What Outlook and Exchange call it, by CLDR's list, in accounts, requests and calendars."""
    assert known_zone(name) == zone
    assert an_account(time_zone=name).time_zone == zone
    assert CalendarSpec(hours={"mon": ("09:00-17:00",)}, zone=name).zone == zone


def test_all_zones_of_windows_lead_to_one_of_ours() -> None:
    """The list and the zone data go together, and a zone's old name lies where it lies."""
    assert {known_zone(name) for name in win_tz} <= zone_names()
    assert country_of(known_zone("India Standard Time")) == "IN"
    placeless = {zone for zone in win_tz.values() if country_of(zone) is None}
    assert placeless <= {"UTC", *(zone for zone in win_tz.values() if zone.startswith("Etc/"))}
