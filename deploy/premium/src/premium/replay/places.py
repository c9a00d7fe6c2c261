"""YAML with the place of every key and value, so that a fault can be shown where it was typed.

Every scalar is read as the text it is: a table of countries may say ``no`` and mean Norway.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import override

import yaml

__all__ = ["KeyPath", "MappingRefused", "Place", "YamlDocument", "did_you_mean", "read_yaml"]

type KeyPath = tuple[str | int, ...]
"""Where a value sits in a document: keys and indexes from the top."""


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    @override
    def __str__(self) -> str:
        """Write it as editors and compilers do."""
        return f"{self.file}:{self.line}:{self.column}"


class MappingRefused(Exception):  # noqa: N818 - the domain's word, as in Poison
    """A mapping that cannot be used; the text is one line: place, fault, remedy."""

    def __init__(self, place: Place, fault: str) -> None:
        super().__init__(f"{place}: {fault}")


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """Plain data, and where each part of it stands."""

    content: object
    places: dict[KeyPath, Place]

    def place_of(self, path: KeyPath) -> Place:
        """Find the place of ``path``, or of the nearest thing that holds it."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]


def did_you_mean(word: str, known: list[str]) -> str:
    """Suggest the nearest of ``known``, else name them all."""
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}"


def read_yaml(file: Path) -> YamlDocument:
    """Read a file; raises MappingRefused on anything that is not one tidy document."""
    start = Place(file.name, 1, 1)
    try:
        node = yaml.compose(file.read_text("utf-8-sig"), Loader=yaml.SafeLoader)
    except OSError as e:
        raise MappingRefused(start, f"cannot be read: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise MappingRefused(start, f"is not UTF-8 at byte {e.start}; save it as UTF-8") from e
    except yaml.MarkedYAMLError as e:
        at = e.problem_mark
        place = Place(file.name, at.line + 1, at.column + 1) if at else start
        raise MappingRefused(place, f"is not YAML: {e.problem}") from e
    except yaml.YAMLError as e:
        raise MappingRefused(start, f"is not YAML: {' '.join(str(e).split())}") from e
    if node is None:
        raise MappingRefused(start, "is empty; copy a shipped mapping to begin with")
    places: dict[KeyPath, Place] = {}
    try:
        return YamlDocument(_plain(node, (), file.name, places), places)
    except RecursionError as e:
        raise MappingRefused(start, "refers to itself, or is nested too deep") from e


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
            raise MappingRefused(place, "a key must be plain text")
        if key.value in content:
            raise MappingRefused(place, f"key {key.value!r} stands here twice; keep one")
        places[*path, key.value] = place
        content[key.value] = _plain(value, (*path, key.value), file, places)
    return content
