"""A log is read row by row; what cannot be read is named, and the rows after it go on."""

import gzip
from pathlib import Path

import pytest

from lab.replay.mapping import LogForm
from lab.replay.reader import LogReader, LogUnreadable, Refusal, Row

CSV = LogForm(format="csv", missing=frozenset({"?"}))
JSON_LINES = LogForm(format="jsonl", missing=frozenset({"?"}))


def read(file: Path, content: bytes, form: LogForm = CSV) -> list[Row | Refusal]:
    """Read ``content`` as a log."""
    file.write_bytes(content)
    return list(LogReader(file, form).rows())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a place for a log."""
    return tmp_path / "log"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_missing_cells_hold_nothing(file: Path, *, packed: bool, mark: bytes) -> None:
    """Empty and marked cells are left out; a byte order mark and gzip change nothing."""
    content = mark + b'id,at,who\r\n1,now,?\r\n2,,"b\r\nc"\r\n\r\n3,x,y\r\n'
    assert read(file, gzip.compress(content) if packed else content) == [
        Row(2, {"id": "1", "at": "now"}),
        Row(3, {"id": "2", "who": "b\r\nc"}),
        Row(6, {"id": "3", "at": "x", "who": "y"}),
    ]


def test_bad_csv_rows_are_refused_and_neighbours_read(file: Path) -> None:
    """Too few cells, bytes that are not UTF-8, quotes out of place: each with its line."""
    content = b'id,at\n1,a\n2\n3,\xff\n4,"x"y\n5,b\n'
    assert read(file, content) == [
        Row(2, {"id": "1", "at": "a"}),
        Refusal(3, None, "1 cells; the header has 2"),
        Refusal(4, "at", "not UTF-8; write the log as UTF-8"),
        Refusal(5, None, "not CSV: ',' expected after '\"'"),
        Row(6, {"id": "5", "at": "b"}),
    ]


def test_delimiter_is_the_mappings(file: Path) -> None:
    """A log may be parted by semicolons."""
    form = LogForm(format="csv", delimiter=";")
    assert read(file, b"id;at\n1;a,b\n", form) == [Row(2, {"id": "1", "at": "a,b"})]


def test_json_lines_are_flattened(file: Path) -> None:
    """A nested value is a column named by its path; null and marks are missing; a list is none."""
    content = b'{"id": 1, "user": {"vip": true, "name": "?"}, "x": null, "tags": [1]}\n\n'
    assert read(file, content, JSON_LINES) == [Row(1, {"id": "1", "user.vip": "true"})]


def test_columns_are_those_of_every_row(file: Path) -> None:
    """JSON lines may bring a column late, or always empty."""
    file.write_bytes(b'{"a": 1}\n{"b": null}\n')
    reader = LogReader(file, JSON_LINES)
    assert len(list(reader.rows())) == 2
    assert reader.columns == {"a", "b"}


def test_bad_json_rows_are_refused_and_neighbours_read(file: Path) -> None:
    """Not JSON, not an object, NaN, too deep: each with its line."""
    content = b'{"id": 1}\n{"id"\n[1]\n{"n": NaN}\n' + b"[" * 99 + b"]" * 99 + b'\n{"id": 2}\n'
    rows = read(file, content, JSON_LINES)
    assert [row.line for row in rows if isinstance(row, Refusal)] == [2, 3, 4, 5]
    assert [row.cells["id"] for row in rows if isinstance(row, Row)] == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", r"is empty; it needs a header line$"),
        (b"a,b,a\n", r":1: two columns are named 'a'; rename the one not meant$"),
        (gzip.compress(b"id\n1\n" * 9999, mtime=0)[:40], r"is damaged: .*; fetch it again$"),
        (gzip.compress(b"id\n1\n", mtime=0)[:12] + b"rubbish", r"is damaged: .*; fetch it again$"),
    ],
)
def test_damaged_log_is_refused_in_one_line(file: Path, content: bytes, fault: str) -> None:
    """A file that cannot be read on is no log with bad rows: nothing of it is used."""
    with pytest.raises(LogUnreadable, match=fault):
        read(file, content)


def test_missing_log_is_named(file: Path) -> None:
    """A log that is not there is named with its path."""
    with pytest.raises(LogUnreadable, match="log cannot be read: No such file"):
        list(LogReader(file, CSV).rows())
