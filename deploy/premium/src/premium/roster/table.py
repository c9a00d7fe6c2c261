"""A roster as a table, a row for each specialist: CSV laid out as the document it stands for."""

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from shared.places import KeyPath, Place, Refused, YamlDocument, did_you_mean

__all__ = ["read_table"]


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(";") if word.strip()]


def _pairs(text: str) -> dict[str, str]:
    """Read phone=5; email=2."""
    halves = (word.partition("=") for word in _words(text))
    return {name.strip(): value.strip() for name, _, value in halves}


def _languages(text: str) -> object:
    """Read en=C2; de=B2, or en; de where nobody says how well."""
    return _pairs(text) if "=" in text else _words(text)


def _hours(text: str) -> dict[str, list[str]]:
    """Read mon-thu 09:00-13:00 14:00-18:00; fri 09:00-13:00."""
    return {days: blocks for days, *blocks in map(str.split, _words(text))}


def _leave(text: str) -> list[dict[str, str]]:
    """Read 2026-12-24..2027-01-02; 2027-05-14."""
    spans = (word.partition("..") for word in _words(text))
    return [{"first": first, "last": last or first} for first, _, last in spans]


_COLUMNS: Final[Mapping[str, tuple[tuple[str, ...], Callable[[str], object]]]] = {
    "specialist_id": (("specialist_id",), str),
    "name": (("name",), str),
    "mail": (("mail",), str),
    "languages": (("languages",), _languages),
    "email": (("capacity", "email"), str),
    "phone": (("capacity", "phone"), str),
    "chat": (("capacity", "chat"), str),
    "universal": (("universal", "capacity"), str),
    "weights": (("universal", "weights"), _pairs),
    "skills": (("skills",), _words),
    "team": (("team",), str),
    "zone": (("shifts", "zone"), str),
    "hours": (("shifts", "hours"), _hours),
    "holidays": (("shifts", "holidays"), _words),
    "leave": (("shifts", "leave"), _leave),
    "certified": (("certified",), str),
    "presence": (("presence",), str),
}


def read_table(file: Path) -> YamlDocument:
    """Read a table; raises Refused where it is none. A place's column is that of the table."""
    start = Place(file.name, 1, 1)
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            return _document(file.name, csv.reader(text, strict=True))
    except OSError as e:
        raise Refused((start, f"cannot be read: {e.strerror}")) from e
    except UnicodeDecodeError as e:
        raise Refused((start, f"is not UTF-8 at byte {e.start}; save it as UTF-8")) from e


def _document(name: str, rows: Any) -> YamlDocument:  # noqa: ANN401 - csv's own reader
    places: dict[KeyPath, Place] = dict.fromkeys(((), ("specialists",)), Place(name, 1, 1))
    people: list[dict[str, Any]] = []
    try:
        columns = [column.strip() for column in next(rows, [])]
        if faults := list(_faults_of_head(name, columns)):
            raise Refused(*faults)
        for row in rows:
            if any(row):
                _check_width(Place(name, rows.line_num, 1), columns, row)
                people.append(_person(row, columns, (name, rows.line_num, len(people)), places))
    except csv.Error as e:
        raise Refused(
            (Place(name, rows.line_num, 1), f"is not CSV: {e}; quote what has commas")
        ) from e
    return YamlDocument({"specialists": people}, places)


def _faults_of_head(name: str, columns: list[str]) -> Iterator[tuple[Place, str]]:
    for number, column in enumerate(columns, 1):
        if column not in _COLUMNS:
            hint = did_you_mean(column, list(_COLUMNS))
            yield Place(name, 1, number), f"unknown column {column!r}; {hint}"
        elif column in columns[: number - 1]:
            yield Place(name, 1, number), f"column {column!r} stands here twice; keep one"
    if "specialist_id" not in columns:
        yield Place(name, 1, 1), "no column 'specialist_id'; add it"


def _check_width(place: Place, columns: list[str], row: list[str]) -> None:
    if len(row) > len(columns):
        wrong = f"has {len(row)} fields under {len(columns)} columns"
        raise Refused((place, f"{wrong}; quote what has commas"))


def _person(
    row: list[str], columns: list[str], at: tuple[str, int, int], places: dict[KeyPath, Place]
) -> dict[str, Any]:
    """Lay a row out; an empty field says nothing."""
    name, line, index = at
    person: dict[str, Any] = {}
    top: KeyPath = ("specialists", index)
    places[top] = Place(name, line, 1)
    for number, (column, text) in enumerate(zip(columns, row, strict=False), 1):
        if text.strip():
            path, value = _COLUMNS[column]
            inner = person if len(path) == 1 else person.setdefault(path[0], {})
            inner[path[-1]] = value(text.strip())
            _mark((*top, *path), inner[path[-1]], Place(name, line, number), places)
    return person


def _mark(path: KeyPath, value: object, place: Place, places: dict[KeyPath, Place]) -> None:
    """Say of a value, and of all in it, where it stands; of what holds it, where it begins."""
    places[path] = place
    places.setdefault(path[:-1], place)
    inner = value.items() if isinstance(value, dict) else ()
    for key, part in (*inner, *(enumerate(value) if isinstance(value, list) else ())):
        _mark((*path, key), part, place, places)
