"""A table as the document it stands for: a row for each specialist, or whatever is listed."""

import csv
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Final

from shared.basics.yaml_source import KeyPath, Place, Refused, YamlDocument, did_you_mean

__all__ = ["Columns", "read_table", "words"]

_CELL_CHARACTERS_MAX: Final = 64 * 1024 * 1024
"""All the seats of a large account stand in one."""

type Columns = Mapping[str, tuple[tuple[str, ...], Callable[[str], object]]]
"""Where the text under a column goes, and how it is read. The first column names the row."""


def words(text: str) -> list[str]:
    """Read billing; crm."""
    return [word.strip() for word in text.split(";") if word.strip()]


def _pairs(text: str) -> dict[str, str]:
    """Read phone=5; email=2."""
    halves = (word.partition("=") for word in words(text))
    return {name.strip(): value.strip() for name, _, value in halves}


def _languages(text: str) -> object:
    """Read en=C2; de=B2, or en; de where nobody says how well."""
    return _pairs(text) if "=" in text else words(text)


def _hours(text: str) -> dict[str, list[str]]:
    """Read mon-thu 09:00-13:00 14:00-18:00; fri 09:00-13:00."""
    return {days: blocks for days, *blocks in map(str.split, words(text))}


def _leave(text: str) -> list[dict[str, str]]:
    """Read 2026-12-24..2027-01-02; 2027-05-14."""
    spans = (word.partition("..") for word in words(text))
    return [{"first": first, "last": last or first} for first, _, last in spans]


_COLUMNS: Final[Columns] = {
    "specialist_id": (("specialist_id",), str),
    "name": (("name",), str),
    "mail": (("mail",), str),
    "languages": (("languages",), _languages),
    "email": (("capacity", "email"), str),
    "phone": (("capacity", "phone"), str),
    "chat": (("capacity", "chat"), str),
    "universal": (("universal", "capacity"), str),
    "weights": (("universal", "weights"), _pairs),
    "skills": (("skills",), words),
    "team": (("team",), str),
    "zone": (("shifts", "zone"), str),
    "hours": (("shifts", "hours"), _hours),
    "holidays": (("shifts", "holidays"), words),
    "half_days": (("shifts", "half_days"), _hours),
    "leave": (("shifts", "leave"), _leave),
    "certified": (("certified",), str),
    "auto_ring": (("auto_ring",), str),
    "presence": (("presence",), str),
}


_DELIMITERS: Final = (",", ";", "\t")
_SEPARATOR: Final = re.compile(r"sep=([,;\t])")


def read_table(
    file: Path, columns: Columns = _COLUMNS, listed: str = "specialists"
) -> YamlDocument:
    """Read a table of what is ``listed``, as Excel may write it; raises Refused where it is none.

    A place's column is that of the table.
    """
    start = Place(file.name, 1, 1)
    try:
        text = _decoded(file.read_bytes())
    except OSError as e:
        raise Refused((start, f"cannot be read: {e.strerror}")) from e
    except UnicodeError as e:
        raise Refused((start, f"is no text: {e}; save it as CSV UTF-8")) from e
    return _Table(file.name, columns, listed).document(_rows(text))


def _decoded(content: bytes) -> str:
    """Read UTF-16 and UTF-8 with their marks, UTF-8, else what Excel in Western Europe writes."""
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252")


def _rows(text: str) -> Any:  # noqa: ANN401 - csv's own reader
    """Part cells by what Excel parts them by in the country it runs in: the head's columns tell.

    Excel may say it itself, in a first line such as ``sep=;``.
    """
    csv.field_size_limit(_CELL_CHARACTERS_MAX)
    first, _, rest = text.partition("\n")
    said = _SEPARATOR.fullmatch(first.rstrip("\r"))
    head = rest.partition("\n")[0] if said else first
    best = max(_DELIMITERS, key=lambda one: len(next(csv.reader([head], delimiter=one), [])))
    delimiter = said[1] if said else best
    rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    if said:
        next(rows)
    return rows


@dataclass(slots=True)
class _Table:
    name: str
    columns: Columns
    listed: str
    places: dict[KeyPath, Place] = field(default_factory=dict)

    def document(self, rows: Any) -> YamlDocument:  # noqa: ANN401 - csv's own reader
        """Lay all rows out."""
        self.places |= dict.fromkeys(((), (self.listed,)), Place(self.name, 1, 1))
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
                (Place(self.name, rows.line_num, 1), f"is not CSV: {e}; quote what has commas")
            ) from e
        return YamlDocument({self.listed: found}, self.places)

    def _faults_of_head(self, head: list[str]) -> Iterator[tuple[Place, str]]:
        for number, column in enumerate(head, 1):
            if column not in self.columns:
                hint = did_you_mean(column, list(self.columns))
                yield Place(self.name, 1, number), f"unknown column {column!r}; {hint}"
            elif column in head[: number - 1]:
                yield Place(self.name, 1, number), f"column {column!r} stands here twice; keep one"
        key = next(iter(self.columns))
        if key not in head:
            yield Place(self.name, 1, 1), f"no column {key!r}; add it"

    def _check_width(self, line: int, head: list[str], row: list[str]) -> None:
        if len(row) > len(head):
            wrong = f"has {len(row)} fields under {len(head)} columns"
            raise Refused((Place(self.name, line, 1), f"{wrong}; quote what has commas"))

    def _row(self, row: list[str], head: list[str], line: int, index: int) -> dict[str, Any]:
        """Lay a row out; an empty field says nothing."""
        found: dict[str, Any] = {}
        top: KeyPath = (self.listed, index)
        self.places[top] = Place(self.name, line, 1)
        for number, (column, text) in enumerate(zip(head, row, strict=False), 1):
            if text.strip():
                path, value = self.columns[column]
                inner = found if len(path) == 1 else found.setdefault(path[0], {})
                inner[path[-1]] = value(text.strip())
                place = Place(self.name, line, number)
                _mark((*top, *path), inner[path[-1]], place, self.places)
        return found


def _mark(path: KeyPath, value: object, place: Place, places: dict[KeyPath, Place]) -> None:
    """Say of a value, and of all in it, where it stands; of what holds it, where it begins."""
    places[path] = place
    places.setdefault(path[:-1], place)
    inner = value.items() if isinstance(value, dict) else ()
    for key, part in (*inner, *(enumerate(value) if isinstance(value, list) else ())):
        _mark((*path, key), part, place, places)
