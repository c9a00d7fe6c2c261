"""Read YAML with the position of every key and value, so that errors can point at line and column.

Every scalar is read as text: the country code ``no`` stays "no" and does not become false.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeAliasType, get_args, get_origin, override

import yaml
from pydantic import BaseModel, ValidationError

__all__ = [
    "Fault",
    "KeyPath",
    "Place",
    "Refused",
    "YamlDocument",
    "describe_error",
    "did_you_mean",
    "faults_of",
    "keys_at",
    "parse_yaml",
    "read_yaml",
    "refused",
]

type KeyPath = tuple[str | int, ...]
"""The path of a value in a document: keys and indexes from the top."""
type Fault = tuple[KeyPath, str]

_MESSAGES: Final = {
    "greater_than_equal": "is {input}; write {ge} or more",
    "int_parsing": "{input!r} is no whole number; write one",
    "bool_parsing": "is {input!r}; write true or false",
}


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file; lines and columns are counted from 1."""

    file: str
    line: int
    column: int

    @override
    def __str__(self) -> str:
        """Format it as editors and compilers do: ``file:line:column``."""
        return f"{self.file}:{self.line}:{self.column}"


class Refused(Exception):  # noqa: N818 - as for Poison
    """A file that cannot be used. The message has one line per fault: place, fault, remedy."""

    def __init__(self, *faults: tuple[Place, str]) -> None:
        super().__init__("\n".join(f"{place}: {fault}" for place, fault in faults))


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """Plain data and the position of each part of it."""

    content: object
    places: dict[KeyPath, Place]

    def place_of(self, path: KeyPath) -> Place:
        """Return the position of ``path``, or of its nearest parent that has one."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Suggest the most similar name in ``known``; list them all if none is similar."""
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"


def describe_error(fault: Any, known: Sequence[str]) -> str:  # noqa: ANN401 - pydantic's own record
    """Describe a pydantic error and its remedy; ``known`` are the keys allowed at that place."""
    match fault["type"]:
        case "extra_forbidden":
            key = str(fault["loc"][-1])
            return f"unknown key {key!r}; {did_you_mean(key, known)}"
        case "missing":
            return f"{str(fault['loc'][-1])!r} is missing; add it"
        case "literal_error":
            allowed = fault["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", ")
            return f"is {fault['input']!r}; {did_you_mean(str(fault['input']), allowed)}"
        case "timezone_aware":
            return f"{fault['input']!r} has no zone; add one, such as +01:00"
        case kind if kind in _MESSAGES:
            return _MESSAGES[kind].format(input=fault["input"], **fault.get("ctx", {}))
        case _:
            return str(fault["msg"]).removeprefix("Value error, ")


def faults_of(
    document: YamlDocument, model: type[BaseModel], error: ValidationError
) -> list[Fault]:
    """List pydantic's errors; a misspelt required key is reported as unknown, not as missing."""
    raw: list[Any] = error.errors(include_url=False)
    found: list[Fault] = []
    for fault in sorted(raw, key=lambda fault: fault["type"] == "missing"):
        path = _path_in(document, fault["loc"])
        slip = did_you_mean(str(fault["loc"][-1]), [str(fault["loc"][-1])])
        if fault["type"] == "missing" and any(
            at[:-1] == path and text.endswith(slip) for at, text in found
        ):
            continue
        found.append((path, describe_error(fault, keys_at(model, path))))
    return found


def refused(document: YamlDocument, faults: Iterable[Fault]) -> Refused:
    """Build the error for some faults, each with its position, in the order of the file."""
    placed = {(document.place_of(path), f"{_field(path)}: {text}") for path, text in faults}
    return Refused(*sorted(placed, key=lambda fault: (fault[0].line, fault[0].column, fault[1])))


def _field(path: KeyPath) -> str:
    """Format a path as ``connections[0].mapping.rules[2].request.channel``."""
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return field.removeprefix(".") or "file"


def _path_in(document: YamlDocument, loc: KeyPath) -> KeyPath:
    """Drop the parts of ``loc`` that pydantic adds and the document does not have."""
    path: KeyPath = ()
    for part in loc:
        if (*path, part) in document.places:
            path = (*path, part)
    return path


def keys_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """List the keys that ``model`` allows in the mapping that contains ``path``."""
    inner = iter(path[:-1])
    for key in inner:
        annotation = _fields(model).get(str(key))
        found = next(_models(annotation), None)
        if found is None:
            continue
        model = found
        if _is_table(annotation):
            next(inner, None)  # skip a key of a dict, which the author chose freely
    return list(_fields(model))


def _fields(model: type[BaseModel]) -> dict[str, object]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, TypeAliasType):
        yield from _models(annotation.__value__)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for argument in get_args(annotation):
            yield from _models(argument)


def _is_table(annotation: object) -> bool:
    return get_origin(annotation) is dict


def read_yaml(file: Path) -> YamlDocument:
    """Read a file.

    Raises:
        Refused: the file cannot be read, is not UTF-8, or is not one valid YAML document.
    """
    start = Place(file.name, 1, 1)
    try:
        return parse_yaml(file.read_text("utf-8-sig"), file.name)
    except OSError as e:
        raise Refused((start, f"cannot be read: {e.strerror}")) from e
    except UnicodeDecodeError as e:
        raise Refused((start, f"is not UTF-8 at byte {e.start}; save it as UTF-8")) from e


def parse_yaml(text: str, name: str) -> YamlDocument:
    """Parse the text of the file ``name``. Raises Refused as `read_yaml` does."""
    start = Place(name, 1, 1)
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as e:
        at = e.problem_mark
        place = Place(name, at.line + 1, at.column + 1) if at else start
        raise Refused((place, f"is not YAML: {e.problem}")) from e
    except yaml.YAMLError as e:
        raise Refused((start, f"is not YAML: {' '.join(str(e).split())}")) from e
    if node is None:
        raise Refused((start, "is empty; copy a shipped one to begin with"))
    places: dict[KeyPath, Place] = {}
    try:
        return YamlDocument(_plain(node, (), name, places), places)
    except RecursionError as e:
        raise Refused((start, "refers to itself, or is nested too deep")) from e


def _plain(node: yaml.Node, path: KeyPath, file: str, places: dict[KeyPath, Place]) -> object:
    mark = node.start_mark
    places.setdefault(path, Place(file, mark.line + 1, mark.column + 1))
    if isinstance(node, yaml.MappingNode):
        return _plain_mapping(node, path, file, places)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(inner, (*path, i), file, places) for i, inner in enumerate(node.value)]
    return node.value


def _plain_mapping(
    node: yaml.MappingNode, path: KeyPath, file: str, places: dict[KeyPath, Place]
) -> dict[str, object]:
    content: dict[str, object] = {}
    for key, value in node.value:
        mark = key.start_mark
        place = Place(file, mark.line + 1, mark.column + 1)
        if not isinstance(key, yaml.ScalarNode):
            raise Refused((place, "a key must be plain text"))
        if key.value in content:
            raise Refused((place, f"key {key.value!r} is listed twice; keep one"))
        places[*path, key.value] = place
        content[key.value] = _plain(value, (*path, key.value), file, places)
    return content
