"""Reads a log row by row, compressed or not.

A row that cannot be read gives a refusal with its place and reason; reading continues after it.
"""

import csv
import gzip
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from io import BufferedReader, TextIOWrapper
from pathlib import Path

from lab.replay.mapping import LogFormat
from shared.basics.errors import Poison
from shared.events.codec import read_json

__all__ = ["LogReader", "LogUnreadable", "Refusal", "Row"]

_GZIP_MAGIC = b"\x1f\x8b"
_CELL_CHARACTERS_MAX = 1_000_000


class LogUnreadable(Exception):  # noqa: N818 - the name states the fault
    """The file itself is missing or damaged; the text is one line."""


@dataclass(frozen=True, slots=True)
class Row:
    """The cells with a value, by column. ``line`` counts from 1, the header included."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A bad row, and why."""

    line: int
    column: str | None
    reason: str


class LogReader:
    """Reads one log. ``columns`` has the columns so far; in JSON lines each row may add some.

    With ``wanted``, other columns are ignored, their faults included.
    """

    def __init__(self, file: Path, form: LogFormat, wanted: Collection[str] | None = None) -> None:
        self._file = file
        self._form = form
        self._wanted = wanted
        self._missing = form.missing | {""}
        self.columns: set[str] = set()

    def rows(self) -> Iterator[Row | Refusal]:
        """Read every row in order. Raises LogUnreadable."""
        try:
            with self._file.open("rb") as plain:
                compressed = plain.peek(2)[:2] == _GZIP_MAGIC
                binary = gzip.GzipFile(fileobj=plain) if compressed else plain
                if self._form.format == "jsonl":
                    yield from self._json_rows(binary)
                else:
                    yield from self._csv_rows(binary)
        except (EOFError, zlib.error, gzip.BadGzipFile) as e:
            raise LogUnreadable(f"{self._file} is damaged: {e}; download it again") from e
        except OSError as e:
            raise LogUnreadable(f"{self._file} cannot be read: {e.strerror}") from e

    def _csv_rows(self, binary: BufferedReader | gzip.GzipFile) -> Iterator[Row | Refusal]:
        # A byte that is not UTF-8 becomes a lone surrogate, so that its column can be reported.
        with TextIOWrapper(binary, "utf-8-sig", errors="surrogateescape", newline="") as text:
            csv.field_size_limit(_CELL_CHARACTERS_MAX)
            records = csv.reader(text, delimiter=self._form.delimiter, strict=True)
            header = self._header(records)
            self.columns.update(header)
            while True:
                line = records.line_num + 1
                try:
                    cells = next(records)
                except StopIteration:
                    return
                except csv.Error as e:
                    yield Refusal(line, None, f"not CSV: {e}")
                    continue
                if cells:
                    yield self._csv_row(line, header, cells)

    def _header(self, records: Iterator[list[str]]) -> list[str]:
        try:
            header = next(records)
        except StopIteration:
            raise LogUnreadable(f"{self._file} is empty; it needs a header line") from None
        except csv.Error as e:
            raise LogUnreadable(f"{self._file}:1: the header is not CSV: {e}") from e
        for column in header:
            if header.count(column) > 1 and self._is_wanted(column):
                raise LogUnreadable(
                    f"{self._file}:1: two columns are named {column!r}; rename the one not meant"
                )
        return header

    def _is_wanted(self, column: str) -> bool:
        return self._wanted is None or column in self._wanted

    def _csv_row(self, line: int, header: list[str], cells: list[str]) -> Row | Refusal:
        if len(cells) != len(header):
            return Refusal(line, None, f"{len(cells)} cells; the header has {len(header)}")
        held = {
            column: cell
            for column, cell in zip(header, cells, strict=True)
            if cell not in self._missing and self._is_wanted(column)
        }
        if not "".join(cells).isascii():
            for column, cell in held.items():
                if any("\ud800" <= character <= "\udfff" for character in cell):
                    return Refusal(line, column, "not UTF-8; write the log as UTF-8")
        return Row(line, held)

    def _json_rows(self, binary: BufferedReader | gzip.GzipFile) -> Iterator[Row | Refusal]:
        for line, text in enumerate(binary, start=1):
            stripped = text.removeprefix(b"\xef\xbb\xbf").strip() if line == 1 else text.strip()
            if not stripped:
                continue
            try:
                document = read_json(stripped)
            except Poison as e:
                yield Refusal(line, None, e.detail)
                continue
            if not isinstance(document, dict):
                yield Refusal(line, None, "not a JSON object; each line is one")
                continue
            cells = dict(self._flat(document, ""))
            self.columns.update(cells)
            held = {
                column: cell
                for column, cell in cells.items()
                if cell not in self._missing and self._is_wanted(column)
            }
            yield Row(line, held)

    def _flat(self, document: dict[str, object], prefix: str) -> Iterator[tuple[str, str]]:
        """Flatten nested objects to names such as ``user.id``; lists are ignored."""
        for key, value in document.items():
            match value:
                case dict():
                    yield from self._flat(value, f"{prefix}{key}.")
                case bool():
                    yield prefix + key, str(value).lower()
                case str() | int() | float():
                    yield prefix + key, str(value)
                case None:
                    yield prefix + key, ""
                case _:
                    pass
