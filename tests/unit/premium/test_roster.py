"""A roster file is read, or refused with the place and the remedy of each fault."""

import csv
import re
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from premium.differences import changes
from premium.roster.command import roster
from premium.roster.topic import with_current_presence
from shared.basics.yaml_source import Refused
from shared.events import SpecialistListed
from shared.listings import read_roster

EXAMPLES: Final = Path(__file__).parents[3] / "docs" / "examples"
HEAD: Final = """\
specialists:
  - specialist_id: mara
    name: Mara
    mail: mara@support.example
"""
ORDINARY: Final = HEAD + "    languages: [en]\n    capacity: {email: 1}\n"
AUGUST: Final = "{first: 2026-08-03, last: 2026-08-21}"
WEEK: Final = "zone: Europe/Berlin, hours: {mon-fri: [09:00-17:00]}"


def faults(tmp_path: Path, text: str, name: str = "roster.yaml") -> list[str]:
    """Return the faults of a refused file."""
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(Refused) as refused:
        read_roster(file)
    return str(refused.value).splitlines()


@pytest.mark.parametrize(
    ("line", "place", "fault"),
    [
        (
            "shifts: {zone: Europe/Berlin, hours: {mon: [09:00-13:00, 12:00-18:00]}}",
            "7:43: specialists[0].shifts.hours.mon",
            "blocks 09:00-13:00 and 12:00-18:00 overlap; merge them or separate them",
        ),
        (
            "shifts: {zone: Europe/Berlin, hours: {mon: [22:00-06:00], tue: [05:00-09:00]}}",
            "7:35: specialists[0].shifts.hours",
            "mon's block 22:00-06:00 runs past midnight into tue's 05:00-09:00; end it where",
        ),
        (
            "shifts: {zone: Europe/Berln, hours: {mon: [09:00-13:00]}}",
            "7:14: specialists[0].shifts.zone",
            "unknown zone 'Europe/Berln'; did you mean 'Europe/Berlin'?",
        ),
        (
            "shifts: {zone: Europe/Berlin, hours: {mon-sun: [00:00-24:00]}}",
            "7:35: specialists[0].shifts.hours",
            "the shift that begins on mon is longer than 16 hours",
        ),
        (
            "shifts: {zone: Europe/Berlin, hours: always}",
            "7:35: specialists[0].shifts.hours",
            'shifts cannot be always; leave shifts out, or write "mon-fri": [09:00-17:00]',
        ),
        (
            "shifts: {zone: Europe/Berlin, hours: {mon: []}}",
            "7:35: specialists[0].shifts.hours",
            "hours hold no block, so nothing would ever be open; give one day a block",
        ),
        (
            f"shifts: {{{WEEK}, leave: [{{first: 2026-08-21, last: 2026-08-03}}]}}",
            "7:96: specialists[0].shifts.leave[0].last",
            "2026-08-03 lies before the first day, 2026-08-21; exchange the two",
        ),
        (
            f"shifts: {{{WEEK}, leave: [{AUGUST}, {{first: 2026-08-21, last: 2026-08-22}}]}}",
            "7:68: specialists[0].shifts.leave",
            "leave until 2026-08-21 and leave from 2026-08-21 overlap; merge them or separate them",
        ),
        (
            f"shifts: {{{WEEK}, holidays: [account]}}",
            "7:68: specialists[0].shifts.holidays",
            "a specialist has no account; write their region, such as DE or DE-BY",
        ),
        (
            "universal: {capacity: -1}",
            "7:17: specialists[0].universal.capacity",
            "is -1; write 0 or more",
        ),
        (
            "universal: {capacity: 4, weights: {fax: 2}}",
            "7:40: specialists[0].universal.weights.fax",
            "is 'fax'; known are chat, email, phone",
        ),
        (
            "skill: [crm]",
            "7:5: specialists[0].skill",
            "unknown key 'skill'; did you mean 'skills'?",
        ),
        (
            "certified: perhaps",
            "7:5: specialists[0].certified",
            "is 'perhaps'; write true or false",
        ),
    ],
)
def test_a_fault_is_reported_with_place_and_remedy(
    tmp_path: Path, line: str, place: str, fault: str
) -> None:
    """The line says where it is in the file, and what to do."""
    (text,) = faults(tmp_path, f"{ORDINARY}    {line}\n")
    assert text.startswith(f"roster.yaml:{place}: {fault}")


@pytest.mark.parametrize(
    ("languages", "fault"),
    [
        (
            "[english]",
            "5:17: specialists[0].languages[0]: unknown language 'english'; did you mean",
        ),
        ("{en: B7}", "5:17: specialists[0].levels.en: 'B7' is no level; write A1 to C2, or 1 to 5"),
        ("{en: 6}", "5:17: specialists[0].levels.en: '6' is no level; write A1 to C2, or 1 to 5"),
        ("[en, de, en]", "5:5: specialists[0].languages: 'en' stands here twice; keep one"),
    ],
)
def test_a_language_is_known_and_listed_once(tmp_path: Path, languages: str, fault: str) -> None:
    """Its level must be one of A1 to C2 or 1 to 5."""
    text = f"{HEAD}    languages: {languages}\n    capacity: {{email: 1}}\n"
    (line,) = faults(tmp_path, text)
    assert line.startswith(f"roster.yaml:{fault}")


def test_a_capacity_below_zero_is_refused(tmp_path: Path) -> None:
    """Zero is allowed: the specialist then gets no ticket of the channel."""
    text = f"{HEAD}    languages: [en]\n    capacity: {{email: 0, phone: -2}}\n"
    assert faults(tmp_path, text) == [
        "roster.yaml:6:26: specialists[0].capacity.phone: is -2; write 0 or more"
    ]


def test_a_specialist_who_is_listed_twice_is_refused(tmp_path: Path) -> None:
    """This fault is reported together with all others of the file."""
    text = ORDINARY + HEAD.partition("\n")[2] + "    languages: [xx]\n    capacity: {}\n"
    assert [line.partition("; ")[0] for line in faults(tmp_path, text)] == [
        "roster.yaml:7:5: specialists[1].specialist_id: 'mara' is listed in line 2 already",
        "roster.yaml:10:17: specialists[1].languages[0]: unknown language 'xx'",
    ]


def test_a_fault_in_a_table_is_reported_by_row_and_column(tmp_path: Path) -> None:
    """Columns count as in a spreadsheet: each field is one."""
    head = "specialist_id,name,mail,languages,email,zone,hours,leave\n"
    row = "mara,Mara,mara,en,1,Mars/Base,mon 09:00-08:60,2026-08-21..2026-08-03\n"
    assert [re.split("[;,]", line)[0] for line in faults(tmp_path, head + row, "roster.csv")] == [
        "roster.csv:2:3: specialists[0].mail: 'mara' is no mail address",
        "roster.csv:2:6: specialists[0].shifts.zone: unknown zone 'Mars/Base'",
        "roster.csv:2:7: specialists[0].shifts.hours.mon[0]: '09:00-08:60' is no block",
        "roster.csv:2:8: specialists[0].shifts.leave[0].last: 2026-08-03 lies before the first day",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("specialist_id,mial\n", "1:2: unknown column 'mial'; did you mean 'mail'?"),
        ("specialist_id,name,name\n", "1:3: column 'name' stands here twice; keep one"),
        ("name\n", "1:1: no column 'specialist_id'; add it"),
        ("specialist_id\na,b\n", "2:1: has 2 fields under 1 columns; quote what has commas"),
    ],
)
def test_a_table_with_a_wrong_head_or_width_is_refused(
    tmp_path: Path, text: str, fault: str
) -> None:
    """Nothing else in it is checked then."""
    assert faults(tmp_path, text, "roster.csv") == [f"roster.csv:{fault}"]


def test_a_bad_file_ends_the_command_with_2(tmp_path: Path) -> None:
    """No part of the deployment is asked before."""
    file = tmp_path / "bad.yaml"
    file.write_text("specialists:\n  - nme: Mara\n")
    ran = CliRunner().invoke(roster, ["import", str(file)])
    assert ran.exit_code == 2
    assert "bad.yaml:2:5: specialists[0].nme: unknown key 'nme'; did you mean" in ran.stderr


def test_the_yaml_and_the_csv_example_are_the_same_roster() -> None:
    """A table can hold everything that YAML can, half-days included."""
    assert read_roster(EXAMPLES / "roster.csv") == read_roster(EXAMPLES / "roster.yaml")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("names_delimiter", [False, True])
def test_a_table_may_be_one_that_excel_writes(
    tmp_path: Path, encoding: str, delimiter: str, *, names_delimiter: bool
) -> None:
    """Excel's delimiter and encoding depend on the country; a first line may name the delimiter."""
    with (EXAMPLES / "roster.csv").open(encoding="utf-8", newline="") as plain:
        rows = list(csv.reader(plain))
    rows[1][1] = "Märä Lind"
    file = tmp_path / "roster.csv"
    with file.open("w", encoding=encoding, newline="") as table:
        table.write(f"sep={delimiter}\r\n" if names_delimiter else "")
        csv.writer(table, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    mara, *others = read_roster(file)
    assert mara.name == "Märä Lind"
    assert tuple(others) == read_roster(EXAMPLES / "roster.csv")[1:]


def test_a_table_in_an_unknown_encoding_is_refused(tmp_path: Path) -> None:
    """The remedy is the name of Excel's menu entry."""
    file = tmp_path / "roster.csv"
    file.write_bytes(b"specialist_id,name\nmara,M\x81ra\n")
    with pytest.raises(Refused, match="save it as CSV UTF-8"):
        read_roster(file)


def test_each_change_of_an_import_is_described_in_a_line() -> None:
    """Only the fields that differ are described, and only their parts that differ."""
    old = {one.specialist_id: one for one in read_roster(EXAMPLES / "roster.yaml")}
    shifts = old["mara.lind"].shifts
    assert shifts is not None
    changed = {
        "capacity": {"email": 5, "phone": 1, "chat": 3},
        "shifts": shifts.model_copy(update={"holidays": ("DE-BY",)}),
    }
    mara = old["mara.lind"].model_copy(update=changed)
    sam = old["sam.okafor"].model_copy(update={"certified": True, "team": "emea"})
    new = sam.model_copy(update={"specialist_id": "new"})
    assert list(changes(old, [mara, old["kenji.mori"], sam, new])) == [
        "~ mara.lind: capacity email 4 -> 5, shifts holidays DE-BE -> DE-BY",
        "~ sam.okafor: team none -> emea, certified False -> True",
        "+ new",
    ]


def test_an_import_changes_a_presence_only_if_the_file_states_it(tmp_path: Path) -> None:
    """A specialist who is away stays away."""
    file = tmp_path / "roster.yaml"
    file.write_text(ORDINARY)
    (unstated,) = read_roster(file)
    file.write_text(ORDINARY + "    presence: online\n")
    (stated,) = read_roster(file)
    away = unstated.model_copy(update={"presence": "away"})
    before: dict[str, SpecialistListed] = {"mara": away}
    assert [one.presence for one in with_current_presence(before, [unstated])] == ["away"]
    assert [one.presence for one in with_current_presence(before, [stated])] == ["online"]
