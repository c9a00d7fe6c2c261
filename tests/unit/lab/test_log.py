"""Every row of a log counts once: with documents, without, refused or left out."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.replay.log import Log, read_log
from lab.replay.mapping import load
from lab.replay.reader import LogUnreadable
from lab.replay.runner import step_times
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
    """Return a folder with the mapping."""
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
    """Bad rows are reported with file, line, column and reason; reading continues."""
    log = read(folder, ROWS)
    assert (log.rows, log.rows_with_documents, log.rows_without_documents, log.refused) == (
        6,
        3,
        1,
        2,
    )
    assert log.refusals == [
        (
            "log.csv:5: column 'at': 'yesterday' is not a time in the format iso:"
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
    """That is, before the ticket's previous row or create date; each fault is reported once."""
    log = read(folder, BACK)
    assert (log.rows_with_documents, log.refused) == (1, 3)
    assert log.refusals == [
        (
            "log.csv:3: column 'at': goes back behind the ticket's row before it;"
            " replay the log with --sort (and 1 rows more)"
        ),
        "log.csv:4: column 'at': lies before the ticket's create date; correct one of them",
    ]


def test_sorting_mends_rows_that_go_back(folder: Path) -> None:
    """Sorted rows are in order of time; a bad row stays bad."""
    log = read(folder, BACK, sort=True)
    assert [(one.line, one.kind) for one in log.documents] == [(3, "request"), (3, "resolved")]
    assert (log.rows_without_documents, log.refused) == (2, 1)


def test_a_repeated_column_is_a_fault_only_if_it_is_used(folder: Path) -> None:
    """A mapping cannot use a column whose name is repeated, but may ignore it."""
    header = "id,at,opened,status,note,note\n"
    log = read(folder, "1,2020-01-01T09:00,2020-01-01T08:00,Open,a,\xff\n", header=header)
    assert (log.rows_with_documents, log.refused) == (1, 0)
    with pytest.raises(LogUnreadable, match="two columns are named 'status'"):
        read(folder, "", header=header.replace("note", "status"))


def test_documents_are_in_the_order_of_their_rows(folder: Path) -> None:
    """They are sorted by time; rows of one time keep the order of the file."""
    log = read(folder, ROWS)
    assert [(one.line, one.kind) for one in log.documents] == [
        (2, "request"),
        (3, "request"),
        (3, "resolved"),
        (7, "resolved"),
    ]


def test_rows_of_other_tickets_are_left_out(folder: Path) -> None:
    """They are counted."""
    log = read(folder, ROWS, tickets_max=1)
    assert (log.rows, log.rows_with_documents, log.rows_left_out) == (6, 2, 2)


def test_a_mapping_with_a_column_that_the_log_lacks_is_refused(folder: Path) -> None:
    """A misspelt column is one fault of the mapping, not one of every row."""
    with pytest.raises(Refused, match=r"^map\.yaml:6:11: the log has no column 'status'"):
        read(folder, ROWS, header=HEADER.replace("status", "state"))


def test_a_log_without_documents_is_refused(folder: Path) -> None:
    """If the mapping fits no row, the error has the first row's fault."""
    with pytest.raises(LogUnreadable, match=r"leads to no document.*log\.csv:2: column 'at'"):
        read(folder, "1,?,2020-01-01,Open\n")


def test_time_never_passes_a_document_that_is_not_sent_yet(folder: Path) -> None:
    """The time of a step is the earliest event time of its own and all later documents."""
    documents = read(folder, ROWS).documents
    assert step_times([documents[:1], documents[1:2], documents[2:]]) == [
        datetime(2020, 1, 1, hour, minute, tzinfo=UTC) for hour, minute in ((8, 0), (8, 30), (9, 0))
    ]
