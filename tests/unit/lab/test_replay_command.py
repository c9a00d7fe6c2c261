"""A dry run needs no stack; progress is shown without a terminal, too."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from lab.replay.progress import shown
from premium.cli import app
from premium.errors import CommandError

MAPPING = """\
log: {format: csv}
source: desk
ticket: id
time: {column: at, format: iso, zone: UTC}
fields:
  state: {column: status, values: {Open: new, Done: resolved}}
request: {account_id: a, requester_id: r, role: seat, channel: email, language: en, subject: s}
facts:
  - {fact: resolved, is: {state: resolved}, was_not: {state: resolved}}
"""
ROWS = """\
id,at,status
1,2020-01-01T09:00,Open
2,2020-01-01T09:30,Dne
3,2020-01-01T09:40,Dne
4,yesterday,Open
1,2020-01-01T10:00,Done
"""


@pytest.fixture
def tried(tmp_path: Path) -> Result:
    """Dry-run a log with faults."""
    return dry_run(tmp_path, MAPPING)


def dry_run(folder: Path, mapping: str, *args: str) -> Result:
    """Run the command without a stack."""
    (folder / "map.yaml").write_text(mapping)
    (folder / "log.csv").write_text(ROWS)
    files = [str(folder / "log.csv"), "--mapping", str(folder / "map.yaml"), "--dry-run"]
    return CliRunner().invoke(app(["replay"]), ["replay", *files, *args], env={"COLUMNS": "200"})


def test_a_dry_run_counts_rows_and_reports_every_fault_once(tried: Result) -> None:
    """It prints counts, what would be sent, and each fault with its number of rows; exit code 1."""
    assert tried.exit_code == 1
    assert tried.stderr.splitlines() == [
        "log.csv: 5 rows: 2 with documents, 0 without, 3 refused, 0 left out",
        "would be sent: 1 request, 1 resolved",
        (
            "log.csv:3: column 'status': 'Dne' is not in the table of state; add it there"
            " (and 1 rows more)"
        ),
        (
            "log.csv:5: column 'at': 'yesterday' is not a time in the format iso:"
            " Invalid isoformat string: 'yesterday'"
        ),
    ]


def test_a_dry_run_reports_every_fault_of_the_mapping(tmp_path: Path) -> None:
    """Faults that depend on the log are included."""
    bad = MAPPING.replace("column: status", "column: stauts").replace("role: seat", "role: seats")
    tried = dry_run(tmp_path, bad)
    assert isinstance(tried.exception, CommandError)
    assert [line.split(":")[1] for line in str(tried.exception).splitlines()] == ["6", "7"]


def test_progress_is_printed_in_a_pipe() -> None:
    """There is at least a line at the start and at the end, and no bar."""
    out = StringIO()
    with shown(Console(file=out), "log.csv", 3) as advance:
        for _ in range(3):
            advance(1)
    assert out.getvalue().splitlines() == [
        "log.csv: 0 of 3 documents",
        "log.csv: 3 of 3 documents",
    ]
