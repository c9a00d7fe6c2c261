"""Read a list from a CSV file, one row per item, into the document that a YAML file would give.

So a list is validated in the same way in both formats.
"""

import csv
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Final

from shared.basics.yaml_source import KeyPath, Place, Refused, YamlDocument, did_you_mean

__all__ = ["Columns", "list_of", "read_table"]

_CELL_CHARACTERS_MAX: Final = 64 * 1024 * 1024
"""A cell may hold all seats of a large account."""

type Columns = Mapping[str, tuple[tuple[str, ...], Callable[[str], object]]]
"""By column: the path of its value in the item, and its parser. The first column is the key."""


def list_of(text: str) -> list[str]:
    """Parse "billing; crm"."""
    return [part.strip() for part in text.split(";") if part.strip()]


_DELIMITERS: Final = (",", ";", "\t")
_SEPARATOR: Final = re.compile(r"sep=([,;\t])")


def read_table(file: Path, columns: Columns, name: str) -> YamlDocument:
    """Read a table, as Excel may write it, into a document with the list ``name``.

    The column of a `Place` is the number of the table's column, not of the character.

    Raises:
        Refused: the file cannot be read, or its head or a row does not fit the columns.
    """
    start = Place(file.name, 1, 1)
    try:
        text = _decoded(file.read_bytes())
    except OSError as e:
        raise Refused((start, f"cannot be read: {e.strerror}")) from e
    except UnicodeError as e:
        raise Refused((start, f"is no text: {e}; save it as CSV UTF-8")) from e
    return _Table(file.name, columns, name).document(_rows(text))


def _decoded(content: bytes) -> str:
    """Decode UTF-16 if a byte order mark says so, else UTF-8, else (invalid UTF-8) Windows-1252."""
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def _rows(text: str) -> Any:  # noqa: ANN401 - csv's own reader
    """Return a reader of all rows, with the delimiter that splits the head into most columns.

    Excel's delimiter depends on its country; a first line such as ``sep=;`` may name it.
    """
    csv.field_size_limit(_CELL_CHARACTERS_MAX)
    first, _, rest = text.partition("\n")
    named = _SEPARATOR.fullmatch(first.rstrip("\r"))
    head = rest.partition("\n")[0] if named else first
    best = max(_DELIMITERS, key=lambda one: len(next(csv.reader([head], delimiter=one), [])))
    delimiter = named[1] if named else best
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    if named:
        next(rows)
    return rows


@dataclass(slots=True)
class _Table:
    file: str
    columns: Columns
    name: str
    places: dict[KeyPath, Place] = field(default_factory=dict)

    def document(self, rows: Any) -> YamlDocument:  # noqa: ANN401 - csv's own reader
        """Make an item of each row."""
        self.places |= dict.fromkeys(((), (self.name,)), Place(self.file, 1, 1))
        found: list[dict[str, Any]] = []
        try:
            head = [column.strip() for column in next(rows, [])]
            if faults := list(self._faults_of_head(head)):
                raise Refused(*faults)
            for row in rows:
                if any(row):
                    self._check_width(rows.line_num, head, row)
                    found.append(self._row(row, head, rows.line_num, len(found)))
        except csv.Error as e:
            raise Refused(
                (Place(self.file, rows.line_num, 1), f"is not CSV: {e}; quote what has commas")
            ) from e
        return YamlDocument({self.name: found}, self.places)

    def _faults_of_head(self, head: list[str]) -> Iterator[tuple[Place, str]]:
        for number, column in enumerate(head, 1):
            if column not in self.columns:
                hint = did_you_mean(column, list(self.columns))
                yield Place(self.file, 1, number), f"unknown column {column!r}; {hint}"
            elif column in head[: number - 1]:
                yield Place(self.file, 1, number), f"column {column!r} stands here twice; keep one"
        key = next(iter(self.columns))
        if key not in head:
            yield Place(self.file, 1, 1), f"no column {key!r}; add it"

    def _check_width(self, line: int, head: list[str], row: list[str]) -> None:
        if len(row) > len(head):
            wrong = f"has {len(row)} fields under {len(head)} columns"
            raise Refused((Place(self.file, line, 1), f"{wrong}; quote what has commas"))

    def _row(self, row: list[str], head: list[str], line: int, index: int) -> dict[str, Any]:
        """Make an item of a row; an empty cell gives the item no key."""
        found: dict[str, Any] = {}
        top: KeyPath = (self.name, index)
        self.places[top] = Place(self.file, line, 1)
        for number, (column, text) in enumerate(zip(head, row, strict=False), 1):
            if text.strip():
                path, value = self.columns[column]
                inner = found if len(path) == 1 else found.setdefault(path[0], {})
                inner[path[-1]] = value(text.strip())
                place = Place(self.file, line, number)
                _mark((*top, *path), inner[path[-1]], place, self.places)
        return found


def _mark(path: KeyPath, value: object, place: Place, places: dict[KeyPath, Place]) -> None:
    """Record ``place`` for a value and all its parts, and for its parent if that has none yet."""
    places[path] = place
    places.setdefault(path[:-1], place)
    inner = value.items() if isinstance(value, dict) else ()
    for key, part in (*inner, *(enumerate(value) if isinstance(value, list) else ())):
        _mark((*path, key), part, place, places)
