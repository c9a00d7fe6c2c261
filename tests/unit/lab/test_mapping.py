"""A mapping with a fault is refused, with its place and what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.replay.mapping import find_mapping, load, parse
from shared.basics.yaml_source import Refused

GOOD = """\
log: {format: csv}
source: desk
ticket: id
time: {column: at, format: iso}
fields:
  state:
    column: status
    values: {Open: new, Done: resolved}
request:
  account_id: "{site}"
  requester_id: someone
  role: seat
  channel: email
  language: en
  subject: "A request from {site}"
facts:
  - {fact: resolved, is: {state: resolved}, was_not: {state: resolved}}
"""

type Fault = Callable[[str], str]


@pytest.fixture
def fault_of(tmp_path: Path) -> Fault:
    """Load a mapping that must be refused, and return the text of the refusal."""

    def refused(text: str) -> str:
        file = tmp_path / "map.yaml"
        file.write_text(text)
        with pytest.raises(Refused) as refusal:
            load(file)
        assert "\n" not in str(refusal.value)
        return str(refusal.value)

    return refused


@pytest.mark.parametrize("name", ["servicenow", "volvo"])
def test_a_shipped_mapping_is_found_by_name(name: str) -> None:
    """It needs no path, and has no fault."""
    assert load(find_mapping(name)).source == name


def test_any_other_name_is_a_path(tmp_path: Path) -> None:
    """A name that is not a shipped mapping is used as a path."""
    file = tmp_path / "own.yaml"
    file.write_text(GOOD)
    assert find_mapping(str(file)) == file


def test_an_unknown_name_is_refused_with_a_suggestion() -> None:
    """A misspelt name of a shipped mapping is recognised."""
    with pytest.raises(Refused, match=r"^volvos:1:1: no such file.*did you mean 'volvo'\?$"):
        find_mapping("volvos")


@pytest.mark.parametrize(
    ("good", "bad", "refusal"),
    [
        ("ticket: id", "tickt: id", "map.yaml:3:1: unknown key 'tickt'; did you mean 'ticket'?"),
        ("ticket: id\n", "", "map.yaml:1:1: 'ticket' is missing; add it"),
        (
            "format: csv",
            "format: cvs",
            "map.yaml:1:7: format is 'cvs'; did you mean 'csv'?",
        ),
        (
            "  role: seat",
            "  role: seats",
            "map.yaml:12:3: role is 'seats'; did you mean 'seat'?",
        ),
        (
            "fact: resolved",
            "fact: resolve",
            "map.yaml:17:6: fact is 'resolve'; did you mean 'resolved'?",
        ),
        (
            "is: {state: resolved}",
            "is: {state: resolvd}",
            "map.yaml:17:27: state is never 'resolvd'; did you mean 'resolved'?",
        ),
        (
            "fact: resolved, is",
            "fact: reclassified, is",
            "map.yaml:17:5: reclassified: severity goes with type reclassified, and only there",
        ),
        (
            '"A request from {site}"',
            '"A request from {}"',
            "map.yaml:15:3: subject: braces hold the name of a column or field, and nothing else",
        ),
        (
            "format: iso",
            "format: iso, zone: Europe/Stokholm",
            "map.yaml:4:33: zone: unknown zone 'Europe/Stokholm'; did you mean 'Europe/Stockholm'?",
        ),
        (
            "is: {state: resolved}, was_not",
            "was_not",
            "map.yaml:17:5: 0: needs `is`, or a column in `at`: else every row has this fact",
        ),
        ("ticket: id", "ticket: id\nticket: id", "key 'ticket' is listed twice; keep one"),
        ("ticket: id", "ticket: [id", "is not YAML: "),
        ("log: {format: csv}", "log: &a {format: *a}", "refers to itself"),
    ],
)
def test_a_fault_is_reported_with_its_place(
    fault_of: Fault, good: str, bad: str, refusal: str
) -> None:
    """The line has file, line, column, fault and a suggestion."""
    assert good in GOOD
    assert refusal in fault_of(GOOD.replace(good, bad, 1))


def test_a_table_is_validated_before_any_row(fault_of: Fault) -> None:
    """A table with an unknown channel is a fault of the mapping, not of each row."""
    table = "fields:\n  channel: {column: via, values: {Fax: emial}}"
    text = GOOD.replace("fields:", table).replace("channel: email", 'channel: "{channel}"')
    assert fault_of(text) == "map.yaml:6:35: channel is 'emial'; did you mean 'email'?"


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"\xff\xfe", b"- a\n- list\n"])
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    """An empty file, one that is not UTF-8, and one that is no mapping are reported in one line."""
    file = tmp_path / "map.yaml"
    file.write_bytes(content)
    with pytest.raises(Refused, match=r"^map\.yaml:1:1: .+$"):
        load(file)


def test_a_missing_mapping_is_refused_in_one_line(tmp_path: Path) -> None:
    """The line names the missing file."""
    with pytest.raises(Refused, match=r"^none\.yaml:1:1: cannot be read"):
        load(tmp_path / "none.yaml")


def test_a_column_that_the_log_lacks_is_reported(tmp_path: Path) -> None:
    """The suggestion considers columns of the log and fields of the mapping."""
    file = tmp_path / "map.yaml"
    file.write_text(GOOD)
    with pytest.raises(Refused) as refusal:
        load(file).check({"id", "at", "stats", "site"})
    assert str(refusal.value) == (
        "map.yaml:7:5: the log has no column 'status'; did you mean 'stats'?"
    )


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    """They are in the order of the file: malformed parts, values, constants and columns."""
    file = tmp_path / "map.yaml"
    text = GOOD.replace("role: seat", "role: seats").replace(
        "is: {state: resolved}", "is: {state: x}"
    )
    file.write_text(text)
    with pytest.raises(Refused) as refusal:
        parse(file).check({"id", "at", "stats", "site"})
    assert [line.split(": ", 1)[0] for line in str(refusal.value).splitlines()] == [
        "map.yaml:7:5",
        "map.yaml:12:3",
        "map.yaml:17:27",
    ]
    file.write_text(GOOD.replace("source", "sorce").replace("format: iso", "fromat: iso"))
    with pytest.raises(Refused) as refusal:
        parse(file)
    assert str(refusal.value).splitlines() == [
        "map.yaml:2:1: unknown key 'sorce'; did you mean 'source'?",
        "map.yaml:4:20: unknown key 'fromat'; did you mean 'format'?",
    ]


def test_text_that_yaml_would_convert_stays_text(tmp_path: Path) -> None:
    """``no`` in a table of countries is Norway, not false."""
    file = tmp_path / "map.yaml"
    file.write_text(GOOD.replace("{Open: new, Done: resolved}", "{no: resolved, 1.0: new}"))
    assert load(file).fields["state"].values == {"no": "resolved", "1.0": "new"}
