"""Reads a file with one list, and validates it; if it is refused, every fault has its position."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from shared.basics.csv_source import Columns, read_table
from shared.basics.yaml_source import Fault, YamlDocument, faults_of, read_yaml, refused

__all__ = ["items_of", "read_list", "validated"]


def read_list(file: Path, columns: Columns, name: str) -> YamlDocument:
    """Read YAML, or CSV (*.csv) with a row for each item of the list ``name``.

    Raises:
        Refused: the file cannot be read, or is not valid YAML or CSV.
    """
    return read_table(file, columns, name) if file.suffix == ".csv" else read_yaml(file)


def validated[M: BaseModel](document: YamlDocument, model: type[M], name: str, key: str) -> M:
    """Validate a document with the list ``name``, in which no two items may have the same ``key``.

    Raises:
        Refused: with all faults.
    """
    repeated = [*_repeated(document, name, key)]
    try:
        found = model.model_validate(document.content)
    except ValidationError as e:
        raise refused(document, [*faults_of(document, model, e), *repeated]) from e
    if repeated:
        raise refused(document, repeated)
    return found


def items_of(document: YamlDocument, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Return the items of a list that are mappings, with their indexes."""
    content = document.content
    items = content.get(name) if isinstance(content, dict) else None
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield index, item


def _repeated(document: YamlDocument, name: str, key: str) -> Iterator[Fault]:
    lines: dict[str, int] = {}
    for index, item in items_of(document, name):
        path = (name, index, key)
        value, line = str(item.get(key)), document.place_of(path).line
        if value in lines and path in document.places:
            yield path, f"{value!r} is listed in line {lines[value]} already; keep one"
        lines.setdefault(value, line)
