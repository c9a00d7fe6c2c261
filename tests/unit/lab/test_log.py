"""A log is counted row by row: told, no news, refused or left out, and nothing else."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.replay.log import Log, read_log
from lab.replay.mapping import load
from lab.replay.play import moments
from lab.replay.reader import LogUnreadable
from shared.basics.yaml_source import Refused

MAPPING = """\
log: {format: csv}
source: desk
ticket: id
time: {column: at, format: iso, zone: UTC}
fields:
  state: {column: status, values: {Open: new, Done: resolved}}
request: {account_id: a, requester_id: r, role: seat, channel: email, language: en, subject: s,
          occurred_at: opened}
facts:
  - {fact: resolved, is: {state: resolved}, was_not: {state: resolved}}
"""
HEADER = "id,at,opened,status\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with the mapping in it."""
    (tmp_path / "map.yaml").write_text(MAPPING)
    return tmp_path


def read(
    folder: Path,
    rows: str,
    *,
    header: str = HEADER,
    tickets_max: int | None = None,
    sort: bool = False,
) -> Log:
    """Read rows as a log."""
    file = folder / "log.csv"
    file.write_text(header + rows)
    return read_log(file, load(folder / "map.yaml"), tickets_max=tickets_max, sort=sort)


ROWS = """\
1,2020-01-01T09:00,2020-01-01T08:00,Open
2,2020-01-01T09:00,2020-01-01T08:30,Done
1,2020-01-01T09:30,2020-01-01T08:00,Open
3,yesterday,2020-01-01T08:00,Open
1,2020-01-01T10:00,2020-01-01T08:00,Dne
1,2020-01-01T10:00,2020-01-01T08:00,Done
"""


def test_every_row_is_counted_once(folder: Path) -> None:
    """Bad rows are named with file, line, column and reason; good ones go on."""
    log = read(folder, ROWS)
    assert (log.rows, log.rows_telling, log.rows_no_news, log.refused) == (6, 3, 1, 2)
    assert log.refusals == [
        (
            "log.csv:5: column 'at': 'yesterday' is no time in the format iso:"
            " Invalid isoformat string: 'yesterday'"
        ),
        "log.csv:6: column 'status': 'Dne' is not in the table of state; add it there",
    ]


BACK = """\
1,2020-01-01T11:00,2020-01-01T10:00,Open
1,2020-01-01T10:30,2020-01-01T10:00,Done
2,2020-01-01T09:00,2020-01-01T10:00,Open
1,2020-01-01T10:45,2020-01-01T10:00,Done
"""


def test_rows_that_go_back_in_time_are_refused(folder: Path) -> None:
    """Behind the ticket's row before, or its create date; each fault once, with a remedy."""
    log = read(folder, BACK)
    assert (log.rows_telling, log.refused) == (1, 3)
    assert log.refusals == [
        (
            "log.csv:3: column 'at': goes back behind the ticket's row before it;"
            " replay the log with --sort (and 1 rows more)"
        ),
        "log.csv:4: column 'at': lies before the ticket's create date; correct one of them",
    ]


def test_sorted_rows_do_not_go_back(folder: Path) -> None:
    """By the time of their rows what happened is told in order; a bad row stays bad."""
    log = read(folder, BACK, sort=True)
    assert [(told.line, told.kind) for told in log.told] == [(3, "request"), (3, "resolved")]
    assert (log.rows_no_news, log.refused) == (2, 1)


def test_column_twice_is_a_fault_only_where_it_is_read(folder: Path) -> None:
    """Exports name columns twice; no mapping can mean such a one, but it may leave it alone."""
    header = "id,at,opened,status,note,note\n"
    log = read(folder, "1,2020-01-01T09:00,2020-01-01T08:00,Open,a,\xff\n", header=header)
    assert (log.rows_telling, log.refused) == (1, 0)
    with pytest.raises(LogUnreadable, match="two columns are named 'status'"):
        read(folder, "", header=header.replace("note", "status"))


def test_documents_come_in_the_order_they_were_told(folder: Path) -> None:
    """Sorted by the time of their rows; rows of one instant keep the file's order."""
    log = read(folder, ROWS)
    assert [(told.line, told.kind) for told in log.told] == [
        (2, "request"),
        (3, "request"),
        (3, "resolved"),
        (7, "resolved"),
    ]


def test_rows_of_other_tickets_are_left_out(folder: Path) -> None:
    """A slice counts what it does not read."""
    log = read(folder, ROWS, tickets_max=1)
    assert (log.rows, log.rows_telling, log.rows_left_out) == (6, 2, 2)


def test_mapping_that_asks_for_more_than_the_log_has_is_refused(folder: Path) -> None:
    """A misspelt column refuses the mapping, not every row by itself."""
    with pytest.raises(Refused, match=r"^map\.yaml:6:11: the log has no column 'status'"):
        read(folder, ROWS, header=HEADER.replace("status", "state"))


def test_log_that_tells_nothing_is_refused(folder: Path) -> None:
    """A mapping that fits no row is said at once, with the first row's fault."""
    with pytest.raises(LogUnreadable, match=r"tells nothing.*log\.csv:2: column 'at'"):
        read(folder, "1,?,2020-01-01,Open\n")


def test_time_never_overtakes_what_is_yet_to_be_told(folder: Path) -> None:
    """A step stands at the earliest create date of its own and all later documents."""
    told = read(folder, ROWS).told
    assert moments([told[:1], told[1:2], told[2:]]) == [
        datetime(2020, 1, 1, hour, minute, tzinfo=UTC) for hour, minute in ((8, 0), (8, 30), (9, 0))
    ]
