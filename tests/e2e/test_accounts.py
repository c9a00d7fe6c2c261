"""`premium accounts import` shows intake's reply about each account."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import yaml

from devstack.stack import Stack

SEATS: Final = 100_000
DATES: Final = 12_000


def imported(stack: Stack, file: Path) -> "subprocess.CompletedProcess[str]":
    """Run the command on a running stack."""
    return subprocess.run(
        [sys.executable, "-m", "premium", "accounts", "import", str(file)],
        env={"PREMIUM_HOME": str(stack.folder)},
        capture_output=True,
        text=True,
        check=False,
    )


async def test_accounts_of_any_size_are_imported(stack: Stack, tmp_path: Path) -> None:
    """Intake counts a hundred thousand seats; importing the same again changes nothing."""
    seats = ";".join(f"user-{number:06}@huge.example" for number in range(SEATS))
    file = tmp_path / "accounts.csv"
    file.write_text(
        "account_id,since,super_admins,seats\n"
        f"huge,2026-01-01T00:00:00Z,ada,{seats}\n"
        "small,2026-01-01T00:00:00Z,ada,everyone\n"
    )
    done = imported(stack, file)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(
        line.startswith("huge: listed: super admins 1, seats 100,000, in ") for line in lines
    )
    assert "small: listed: super admins 1, seats everyone" in lines
    assert lines[-1] == "2 changed, 0 refused, 0 unchanged"
    assert imported(stack, file).stdout.splitlines()[-1] == "0 changed, 0 refused, 2 unchanged"


async def test_an_import_reports_what_intake_refused(stack: Stack, tmp_path: Path) -> None:
    """An account that cannot be split is refused with the reason; the other one is listed."""
    purchases = [
        {"since": f"{2000 + n % 90}-01-01T00:00:{n % 60:02}Z", "until": "2095-01-01T00:00:00Z"}
        for n in range(DATES)
    ]
    accounts = [
        {"account_id": "wordy", "purchases": purchases, "seats": "everyone"},
        {"account_id": "plain", "purchases": purchases[:1], "seats": "everyone"},
    ]
    file = tmp_path / "accounts.yaml"
    file.write_text(yaml.safe_dump({"accounts": accounts}))
    done = imported(stack, file)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert any(line.startswith("wordy: refused: too_large: ") for line in lines)
    assert "plain: listed: super admins 0, seats everyone" in lines
    assert lines[-1] == "1 changed, 1 refused, 0 unchanged"
