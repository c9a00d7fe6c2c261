"""Calendar specifications: validation, error messages, and serialisation."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from shared.sla.calendars import Calendar, CalendarSpec, always, business_week, known_region

OFFICE = {"mon-fri": ["09:00-17:00"]}


def spec(**content: Any) -> CalendarSpec:  # noqa: ANN401 - as YAML gives it
    """Parse a specification; office hours by default."""
    return CalendarSpec.model_validate({"hours": OFFICE, **content})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"hours": {"monday": []}}, "unknown weekday 'monday'; did you mean 'mon'?"),
        ({"hours": {"holiday": []}}, "unknown weekday 'holiday'; write one of mon, tue, wed"),
        ({"hours": {"mon-fri": [], "tue": []}}, "tue is named twice; give each day one list"),
        ({"hours": {"mon": []}}, "hours hold no block, so nothing would ever be open; give"),
        ({"hours": {"mon": ["9-17"]}}, "'9-17' is no block; write it like 09:00-17:00"),
        ({"hours": {"mon": ["09:00-24:30"]}}, "'09:00-24:30' is no block"),
        ({"hours": {"mon": ["09:00-09:00"]}}, "09:00-09:00 has no length; a whole day is 00:00-"),
        (
            {"hours": {"mon": ["09:00-12:00", "11:00-13:00"]}},
            "blocks 09:00-12:00 and 11:00-13:00 overlap; merge them or separate them",
        ),
        (
            {"hours": {"sun": ["22:00-06:00"], "mon": ["05:00-07:00"]}},
            "sun's block 22:00-06:00 runs past midnight into mon's 05:00-07:00; end it where",
        ),
        ({"hours": "24x7"}, "Input should be 'always'"),
        ({"hours": "always", "holidays": ["DE"]}, "always never closes; leave its holidays"),
        ({"zone": "Europe/Berln"}, "unknown zone 'Europe/Berln'; did you mean 'Europe/Berlin'?"),
        ({"zone": "?"}, "unknown zone '?'; write one such as Europe/Berlin"),
        ({"holidays": ["DEU"]}, "unknown country 'DEU'; did you mean 'DE'?"),
        ({"holidays": ["Germny"]}, "unknown country 'Germny'; did you mean 'DE'?"),
        ({"holidays": ["DE-Bayern"]}, "unknown subdivision 'Bayern' of DE; did you mean 'BY'?"),
        ({"holidays": ["DE-XX"]}, "unknown subdivision 'XX' of DE; it has BB, BE, BW, BY"),
        (
            {"half_days": {"2026-12-24": []}},
            "2026-12-24 has no block; to close the whole day, list",
        ),
        (
            {"versions": [{"effective_from": "2026-02-01"}, {"effective_from": "2026-01-01"}]},
            "version 2026-01-01 is listed after 2026-02-01; put the earlier first",
        ),
        (
            {"versions": [{"effective_from": "2026-02-01"}, {"effective_from": "2026-02-01"}]},
            "two versions are effective from 2026-02-01; merge them",
        ),
        (
            {"versions": [{"effective_from": "2026-02-01", "closed": ["2026-01-31"]}]},
            "2026-01-31 lies before effective_from; list it in the rules before that date",
        ),
        (
            {"hours": "always", "versions": [{"effective_from": "2026-02-01", "holidays": ["DE"]}]},
            "always never closes",
        ),
    ],
)
def test_an_error_names_the_remedy(content: dict[str, Any], message: str) -> None:
    """An error names the fault and the remedy, once."""
    with pytest.raises(ValidationError) as refused:
        spec(**content)
    (error,) = refused.value.errors()
    assert message in error["msg"]


def test_the_documents_example_is_a_calendar() -> None:
    """The example of docs/calendars.md is valid."""
    text = (Path(__file__).parents[3] / "docs" / "calendars.md").read_text()
    written = CalendarSpec.model_validate(yaml.safe_load(text.split("```")[1].removeprefix("yaml")))
    assert written.bound(zone="Europe/Berlin", region="DE").holidays_between(
        date(2026, 8, 14), date(2026, 8, 14)
    )


def test_a_calendar_serialises_without_defaults() -> None:
    """Serialisation omits defaults, and parses to an equal value."""
    written = spec(
        hours={"sat,sun": ["10:00-12:00"], "mon-fri": ["22:00-02:00"]}, holidays=["account"]
    )
    text = written.model_dump_json()
    assert text == (
        '{"hours":{"mon-fri":["22:00-02:00"],"sat,sun":["10:00-12:00"]},"holidays":["account"]}'
    )
    assert CalendarSpec.model_validate_json(text) == written


def test_equal_calendars_are_one() -> None:
    """The order of keys does not matter, so copies share cached days."""
    one = spec(
        hours={"mon": ["09:00-10:00"], "tue": ["09:00-10:00"]}, closed=["2026-01-02", "2026-01-01"]
    )
    two = spec(
        hours={"tue": ["09:00-10:00"], "mon": ["09:00-10:00"]}, closed=["2026-01-01", "2026-01-02"]
    )
    assert (one, hash(one)) == (two, hash(two))
    assert one.bound(zone="UTC") is two.bound(zone="UTC")


@pytest.mark.parametrize(
    "other",
    [
        spec(zone="Europe/Paris"),
        spec(hours={"mon-fri": ["09:00-17:01"]}),
        spec(holidays=["DE"]),
        spec(closed=["2026-01-02"]),
        spec(half_days={"2026-01-02": ["09:00-10:00"]}),
        spec(versions=[{"effective_from": "2026-01-02", "closed": ["2026-01-02"]}]),
    ],
)
def test_every_difference_changes_the_version(other: CalendarSpec) -> None:
    """Everything that can move a due time changes the version."""
    assert other.bound(zone="Europe/Berlin").version != spec().bound(zone="Europe/Berlin").version


def test_equivalent_notations_have_the_same_version() -> None:
    """The version depends on the meaning, not on the notation."""
    written = spec(hours={"mon-thu,fri": ["09:00-13:00", "13:00-17:00"]}, zone="Europe/Berlin")
    other = spec(
        hours={"fri": ["13:00-17:00", "09:00-13:00"], "mon-thu": ["13:00-17:00", "09:00-13:00"]}
    )
    assert written.bound(zone="UTC") == other.bound(zone="Europe/Berlin")


def test_always_is_one_calendar() -> None:
    """The calendar always depends on no zone and no data: its version never changes."""
    assert spec(hours="always").bound(zone="Asia/Tokyo") == always()
    assert always().version == "always"


def test_account_means_the_accounts_zone_and_region() -> None:
    """Zone and region come from the account; without a region there are no holidays."""
    written = spec(holidays=["account"])
    own = written.bound(zone="Europe/Berlin", region="DE-BY")
    assert own == spec(holidays=["DE-BY"], zone="Europe/Berlin").bound(zone="UTC")
    assert written.bound(zone="Europe/Berlin") == business_week("Europe/Berlin")


def test_an_account_with_an_unknown_place_is_refused() -> None:
    """A wrong zone or region of an account is reported like one in a policy."""
    with pytest.raises(ValueError, match="did you mean 'Europe/Berlin'"):
        spec().bound(zone="Europe/Berln")
    with pytest.raises(ValueError, match="did you mean 'DE'"):
        spec(holidays=["account"]).bound(zone="UTC", region="DEU")


def test_weekdays_may_wrap_and_ignore_case() -> None:
    """From Friday to Monday is four days; case does not matter."""
    days = [date(2026, 3, day) for day in range(2, 9)]
    bound: Calendar = spec(hours={"FRI-Mon": ["09:00-10:00"]}).bound(zone="UTC")
    assert [bool(bound.blocks(day)) for day in days] == [
        True,
        False,
        False,
        False,
        True,
        True,
        True,
    ]


def test_a_known_region_is_returned() -> None:
    """A known region is returned unchanged."""
    assert [known_region(code) for code in ("DE", "US-CA")] == ["DE", "US-CA"]
