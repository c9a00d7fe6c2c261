"""The commands for policies: their differences, a preview of due times, and refused files."""

from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from premium.policy.command import policy as command
from premium.policy.topic import record_of
from shared.events import Envelope, PolicyPublished
from shared.events.codec import Record, read
from shared.sla.policies import Policy, default_policy
from shared.sla.policies.changes import changes
from shared.sla.policies.lint import lint

BUILT_IN = default_policy()
SINCE = date(2026, 11, 24)
FROM = ("--from", "2026-11-24")


def changed(**more: object) -> Policy:
    """Return the built-in policy with other parts."""
    return Policy.model_validate({**BUILT_IN.document, **more})


def with_rules(rules: list[dict[str, Any]]) -> list[str]:
    """List the differences if the built-in policy had these rules."""
    return [*changes(BUILT_IN, changed(rules=rules))]


def lint_of(place: str, **asked: list[str]) -> dict[str, list[str]]:
    """Lint the built-in policy; return one place's events, each with the due times it moves."""
    found: dict[str, list[str]] = {}
    here = False
    for line in lint(BUILT_IN, since=SINCE, **asked):
        if not line.startswith(" "):
            here = line == f"calendar {place}"
        elif here and not line.startswith("   "):
            found[line.strip()] = []
        elif here:
            found[[*found][-1]].append(line.strip())
    return found


def test_the_same_policy_changes_nothing() -> None:
    """Publishing it again has no effect."""
    assert not [*changes(BUILT_IN, changed())]


def test_changed_rules_are_listed_by_name() -> None:
    """A rule may be added, removed or changed."""
    first, *others = BUILT_IN.document["rules"]
    dearer = {**others[-1], "source": "contract"}
    new = {**first, "name": "callback-3-min"}
    assert with_rules([new, *others[:-1], dearer]) == [
        "rule callback-3-min: added",
        "rule super-admin-standard: changed",
        "rule callback-5-min: removed",
    ]


def test_another_order_is_a_change() -> None:
    """The first rule that matches wins, so the order of rules matters."""
    first, second, *others = BUILT_IN.document["rules"]
    (line,) = with_rules([second, first, *others])
    assert line.startswith("rules in another order: chat-join-60-s, callback-5-min, ")


def test_changed_calendars_and_exceptions_are_listed_by_name() -> None:
    """They move due times and guarantees, as rules do."""
    window = {
        "name": "move",
        "reason": "the data centre moves",
        "starts_at": "2026-03-02T00:00:00Z",
        "ends_at": "2026-03-03T00:00:00Z",
    }
    calendars = {"business_week": {"hours": {"mon-fri": ["08:00-17:00"]}}}
    new = changed(calendars=calendars, exceptions=[window])
    assert [*changes(BUILT_IN, new)] == [
        "calendar business_week: changed",
        "exception move: added",
    ]


def test_a_holiday_is_listed_with_the_due_times_it_moves() -> None:
    """A request on the afternoon of Christmas Eve is due after Christmas and the weekend."""
    found = lint_of("business_week, Europe/Berlin, DE")
    assert found["Fri 2026-12-25 Erster Weihnachtstag"][0] == (
        "seat-one-business-day first_response 8 h: asked Thu 12-24 16:00,"
        " due Mon 12-28 16:00+01:00, not Fri 12-25 16:00"
    )


def test_a_clock_change_is_listed_with_the_due_times_it_moves() -> None:
    """The hour that local time skips at night is not missing from the promise."""
    found = lint_of("always, Europe/Berlin")
    assert found["Sun 2027-03-28 02:00 clocks go to 03:00, from +01:00 to +02:00"][-1] == (
        "super-admin-standard first_response 1 h: asked Sun 03-28 01:30,"
        " due Sun 03-28 03:30+02:00, not Sun 03-28 02:30"
    )


def test_a_clock_change_at_night_moves_no_business_hour() -> None:
    """Business hours follow local time."""
    found = lint_of("business_week, America/New_York, US")
    shifts = [moved for line, moved in found.items() if "clocks" in line]
    assert shifts == [["no due time of the sample moves"]] * 4


def test_zones_and_regions_may_be_asked_for() -> None:
    """A zone whose clocks change by half an hour works, too."""
    found = lint_of("always, Australia/Lord_Howe", zones=["Australia/Lord_Howe"])
    assert "Sun 2027-10-03 02:00 clocks go to 02:30, from +10:30 to +11:00" in found
    bavarian = lint_of("business_week, Europe/Berlin, DE-BY", regions=["DE-BY"])
    assert "Wed 2027-01-06 Heilige Drei Könige" in bavarian


def test_the_preview_covers_two_years() -> None:
    """It runs from the first day to the same day two years later."""
    days = [line.split()[1] for line in lint_of("business_week, Europe/Berlin, DE")]
    assert (min(days), max(days)) == ("2026-12-25", "2028-10-29")
    assert days == sorted(days)


def test_a_bad_file_is_exit_2_with_a_line_for_each_fault(tmp_path: Path) -> None:
    """A script can distinguish a bad policy from an unreachable deployment."""
    file = tmp_path / "bad.yaml"
    file.write_text("policy_id: x\nruls: []\n")
    ran = CliRunner().invoke(command, ["check", str(file)])
    assert ran.exit_code == 2
    assert ran.stderr == "bad.yaml:2:1: ruls: unknown key 'ruls'; did you mean 'rules'?\n"


def test_check_prints_the_version_of_a_good_file(tmp_path: Path) -> None:
    """The version shows which policy an apply would put in force."""
    file = tmp_path / "good.yaml"
    file.write_text(files("shared.sla.policies").joinpath("default.yaml").read_text())
    ran = CliRunner().invoke(command, ["check", str(file)])
    assert (ran.exit_code, ran.stdout) == (
        0,
        f"policy premium, version {BUILT_IN.version}: 5 rules, no fault\n",
    )


def test_the_built_in_policy_is_linted_without_a_file() -> None:
    """With a given date no deployment is needed."""
    ran = CliRunner().invoke(command, ["lint", *FROM])
    assert ran.exit_code == 0
    assert ran.stdout.splitlines()[0].endswith("2026-11-24 to 2028-11-24")


def test_a_policy_is_published_whole() -> None:
    """The record holds the whole document, and its version."""
    record = record_of(BUILT_IN, datetime(2026, 3, 1, tzinfo=UTC))
    envelope = read(Record(record.topic, 0, 0, record.key, record.value, record.headers))
    assert isinstance(envelope, Envelope)
    assert isinstance(envelope.event, PolicyPublished)
    assert envelope.event.document == BUILT_IN
    assert envelope.event.version == BUILT_IN.version
    assert record.key == b"premium"
