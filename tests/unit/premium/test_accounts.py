"""A file of accounts is read, or refused with the place and the remedy of each fault."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from premium.cli import app
from shared.basics.yaml_source import Refused
from shared.events import AccountListed, Purchase
from shared.listings import read_accounts

EXAMPLE: Final = Path(__file__).parents[3] / "docs" / "examples" / "accounts.yaml"
HEAD: Final = "account_id,since,until,super_admins,seats,time_zone,language,tier,region\n"
NORTHWIND: Final = "northwind,2026-01-01T00:00:00Z,,ada,bob; carol,Europe/Berlin,de,gold,DE-BE\n"
LISTED: Final = AccountListed(
    account_id="northwind",
    purchases=(Purchase(since=datetime(2026, 1, 1, tzinfo=UTC)),),
    super_admins=frozenset({"ada"}),
    seats=frozenset({"bob", "carol"}),
    time_zone="Europe/Berlin",
    language="de",
    tier="gold",
    region="DE-BE",
)


def faults(tmp_path: Path, text: str, name: str) -> list[str]:
    """Return the faults of a refused file."""
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(Refused) as refused:
        read_accounts(file)
    return str(refused.value).splitlines()


def test_yaml_and_csv_give_the_same_accounts(tmp_path: Path) -> None:
    """A key without a value counts as absent."""
    table, text = tmp_path / "accounts.csv", tmp_path / "accounts.yaml"
    table.write_text(HEAD + NORTHWIND)
    text.write_text(EXAMPLE.read_text().replace("00:00:00Z", "00:00:00Z\n        until:"))
    assert read_accounts(EXAMPLE) == read_accounts(table) == read_accounts(text) == (LISTED,)


def test_everyone_may_have_a_seat(tmp_path: Path) -> None:
    """A table can state this as YAML can."""
    file = tmp_path / "accounts.csv"
    file.write_text("account_id,seats\nnorthwind,everyone\n")
    assert [account.seats for account in read_accounts(file)] == ["everyone"]


def test_every_fault_of_yaml_is_reported_with_its_place(tmp_path: Path) -> None:
    """Line and column, the field, and what to do; faults in a purchase and repeated ids as well."""
    text = """\
accounts:
  - account_id: northwind
    purchases:
      - {since: 2026-01-01T00:00:00, untill: 2026-02-01T00:00:00Z}
    time_zone: Europe/Berln
  - account_id: northwind
    seat: [bob]
"""
    assert faults(tmp_path, text, "accounts.yaml") == [
        (
            "accounts.yaml:4:10: accounts[0].purchases[0].since: '2026-01-01T00:00:00' has no zone;"
            " add one, such as +01:00"
        ),
        (
            "accounts.yaml:4:38: accounts[0].purchases[0].untill: unknown key 'untill';"
            " did you mean 'until'?"
        ),
        (
            "accounts.yaml:5:5: accounts[0].time_zone: unknown zone 'Europe/Berln';"
            " did you mean 'Europe/Berlin'?"
        ),
        (
            "accounts.yaml:6:5: accounts[1].account_id: 'northwind' is listed in line 2 already;"
            " keep one"
        ),
        "accounts.yaml:7:5: accounts[1].seat: unknown key 'seat'; did you mean 'seats'?",
    ]


def test_every_fault_of_a_table_is_reported_with_its_place(tmp_path: Path) -> None:
    """The place is the line, and the column of the table."""
    rows = NORTHWIND.replace("2026-01-01T00:00:00Z", "yesterday") + NORTHWIND.replace("de,", "d,")
    assert [line.split(" ", 1)[0] for line in faults(tmp_path, HEAD + rows, "accounts.csv")] == [
        "accounts.csv:2:2:",
        "accounts.csv:3:1:",
        "accounts.csv:3:7:",
    ]
    head = faults(tmp_path, HEAD.replace("seats", "seat") + NORTHWIND, "accounts.csv")
    assert head == ["accounts.csv:1:5: unknown column 'seat'; did you mean 'seats'?"]


def test_a_bad_file_ends_the_command_with_2(tmp_path: Path) -> None:
    """The same holds for a roster and for a policy."""
    file = tmp_path / "accounts.yaml"
    file.write_text("accounts: [northwind]\n")
    ended = CliRunner().invoke(app(["accounts"]), ["accounts", "import", str(file)])
    assert ended.exit_code == 2
    assert ended.stderr.startswith("accounts.yaml:1:12: accounts[0]: ")
