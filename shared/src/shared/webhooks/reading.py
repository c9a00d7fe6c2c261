"""Reads a file of connections: the values, or every fault with its place and its remedy."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError

from shared.places import (
    KeyPath,
    Refused,
    YamlDocument,
    did_you_mean,
    keys_at,
    parse_yaml,
    read_yaml,
    what_is_wrong,
)
from shared.webhooks.connection import Connection, Fault
from shared.webhooks.values import Part, not_empty

__all__ = ["connections_of", "load_connections"]


class _File(Part):
    connections: Annotated[tuple[Connection, ...], AfterValidator(not_empty)]


def load_connections(file: Path) -> tuple[Connection, ...]:
    """Read and check connections; raises Refused with all their faults."""
    return _made(read_yaml(file))


def connections_of(text: str, name: str) -> tuple[Connection, ...]:
    """Read the text of the file ``name``, as `load_connections` does."""
    return _made(parse_yaml(text, name))


def _made(document: YamlDocument) -> tuple[Connection, ...]:
    try:
        made = _File.model_validate(document.content).connections
    except ValidationError as e:
        raise _refused(document, _read_faults(document, e)) from e
    found = [
        (("connections", index, *path), text)
        for index, connection in enumerate(made)
        for path, text in connection.faults
    ]
    names = [connection.name for connection in made]
    for index, name in enumerate(names):
        if name in names[:index]:
            found.append((("connections", index, "name"), f"{name!r} is taken; choose another"))
    if found:
        raise _refused(document, found)
    return made


def _refused(document: YamlDocument, faults: Iterable[Fault]) -> Refused:
    placed = {(document.place_of(path), f"{_field(path)}: {text}") for path, text in faults}
    return Refused(*sorted(placed, key=lambda fault: (fault[0].line, fault[0].column, fault[1])))


def _field(path: KeyPath) -> str:
    """Write a path as connections[0].mapping.rules[2].request.channel."""
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return field.removeprefix(".") or "file"


def _read_faults(document: YamlDocument, error: ValidationError) -> list[Fault]:
    """Name what pydantic found; a key that is misspelt is not also said to be missing."""
    raw: list[Any] = error.errors(include_url=False)
    found: list[Fault] = []
    for fault in sorted(raw, key=lambda fault: fault["type"] == "missing"):
        path = _path_in(document, fault["loc"])
        slip = did_you_mean(str(fault["loc"][-1]), [str(fault["loc"][-1])])
        if fault["type"] == "missing" and any(
            at[:-1] == path and text.endswith(slip) for at, text in found
        ):
            continue
        found.append((path, what_is_wrong(fault, keys_at(_File, path))))
    return found


def _path_in(document: YamlDocument, loc: KeyPath) -> KeyPath:
    """Leave out what pydantic adds to a place: the key of a table, the list around one value."""
    path: KeyPath = ()
    for part in loc:
        if (*path, part) in document.places:
            path = (*path, part)
    return path
