"""A log is read row by row; a bad row is reported, and reading continues after it."""

import gzip
from pathlib import Path

import pytest

from lab.replay.mapping import LogFormat
from lab.replay.reader import LogReader, LogUnreadable, Refusal, Row

CSV = LogFormat(format="csv", missing=frozenset({"?"}))
JSON_LINES = LogFormat(format="jsonl", missing=frozenset({"?"}))


def read(file: Path, content: bytes, form: LogFormat = CSV) -> list[Row | Refusal]:
    """Read ``content`` as a log."""
    file.write_bytes(content)
    return list(LogReader(file, form).rows())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a path for a log."""
    return tmp_path / "log"


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_missing_cells_are_left_out(file: Path, *, compressed: bool, mark: bytes) -> None:
    """Empty cells and marks for missing values are left out; BOM and gzip change nothing."""
    content = mark + b'id,at,who\r\n1,now,?\r\n2,,"b\r\nc"\r\n\r\n3,x,y\r\n'
    assert read(file, gzip.compress(content) if compressed else content) == [
        Row(2, {"id": "1", "at": "now"}),
        Row(3, {"id": "2", "who": "b\r\nc"}),
        Row(6, {"id": "3", "at": "x", "who": "y"}),
    ]


def test_bad_csv_rows_are_refused_and_neighbours_read(file: Path) -> None:
    """Too few cells, bytes that are not UTF-8, misplaced quotes: each is reported with its line."""
    content = b'id,at\n1,a\n2\n3,\xff\n4,"x"y\n5,b\n'
    assert read(file, content) == [
        Row(2, {"id": "1", "at": "a"}),
        Refusal(3, None, "1 cells; the header has 2"),
        Refusal(4, "at", "not UTF-8; write the log as UTF-8"),
        Refusal(5, None, "not CSV: ',' expected after '\"'"),
        Row(6, {"id": "5", "at": "b"}),
    ]


def test_the_mapping_sets_the_delimiter(file: Path) -> None:
    """A log may use semicolons."""
    form = LogFormat(format="csv", delimiter=";")
    assert read(file, b"id;at\n1;a,b\n", form) == [Row(2, {"id": "1", "at": "a,b"})]


def test_json_lines_are_flattened(file: Path) -> None:
    """A nested value is a column named by its path; null is missing; a list is ignored."""
    content = b'{"id": 1, "user": {"vip": true, "name": "?"}, "x": null, "tags": [1]}\n\n'
    assert read(file, content, JSON_LINES) == [Row(1, {"id": "1", "user.vip": "true"})]


def test_columns_are_collected_from_all_rows(file: Path) -> None:
    """In JSON lines a column may first appear in a late row, or always be empty."""
    file.write_bytes(b'{"a": 1}\n{"b": null}\n')
    reader = LogReader(file, JSON_LINES)
    assert len(list(reader.rows())) == 2
    assert reader.columns == {"a", "b"}


def test_bad_json_rows_are_refused_and_neighbours_read(file: Path) -> None:
    """Not JSON, not an object, NaN, too deep: each is reported with its line."""
    content = b'{"id": 1}\n{"id"\n[1]\n{"n": NaN}\n' + b"[" * 99 + b"]" * 99 + b'\n{"id": 2}\n'
    rows = read(file, content, JSON_LINES)
    assert [row.line for row in rows if isinstance(row, Refusal)] == [2, 3, 4, 5]
    assert [row.cells["id"] for row in rows if isinstance(row, Row)] == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", r"is empty; it needs a header line$"),
        (b"a,b,a\n", r":1: two columns are named 'a'; rename the one not meant$"),
        (gzip.compress(b"id\n1\n" * 9999, mtime=0)[:40], r"is damaged: .*; download it again$"),
        (
            gzip.compress(b"id\n1\n", mtime=0)[:12] + b"rubbish",
            r"is damaged: .*; download it again$",
        ),
    ],
)
def test_a_damaged_log_is_refused_in_one_line(file: Path, content: bytes, fault: str) -> None:
    """If a file cannot be read to its end, nothing of it is used."""
    with pytest.raises(LogUnreadable, match=fault):
        read(file, content)


def test_a_missing_log_is_reported(file: Path) -> None:
    """The error has the path."""
    with pytest.raises(LogUnreadable, match="log cannot be read: No such file"):
        list(LogReader(file, CSV).rows())
