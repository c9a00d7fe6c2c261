"""A roster read from YAML or CSV; every fault is named with its place and its remedy."""

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from premium.roster.table import read_table
from shared.basics.yaml_source import Fault, YamlDocument, faults_of, read_yaml, refused
from shared.events import SpecialistListed
from shared.rosters import known_language

__all__ = ["read"]

_ALL: Final = "specialists"
_MAIL: Final = re.compile(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+")


def _once(tags: tuple[str, ...]) -> tuple[str, ...]:
    if twice := [tag for n, tag in enumerate(tags) if tag in tags[:n]]:
        raise ValueError(f"{twice[0]!r} stands here twice; keep one")
    return tags


def _mail(told: object) -> object:
    if not isinstance(told, str) or not _MAIL.fullmatch(told):
        raise ValueError(f"{told!r} is no mail address; write one such as mara@support.example")
    return told


class _Listed(SpecialistListed):
    model_config = ConfigDict(extra="forbid", frozen=True)

    mail: Annotated[str, BeforeValidator(_mail), Field(max_length=254)]
    languages: Annotated[
        tuple[Annotated[str, AfterValidator(known_language)], ...], AfterValidator(_once)
    ]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    specialists: list[_Listed]


def read(file: Path) -> tuple[SpecialistListed, ...]:
    """Read and check a roster; raises Refused with all its faults."""
    document = read_table(file) if file.suffix == ".csv" else read_yaml(file)
    _part_levels(document)
    try:
        found = _File.model_validate(document.content).specialists
    except ValidationError as e:
        raise refused(document, [*faults_of(document, _File, e), *_twice(document)]) from e
    if twice := _twice(document):
        raise refused(document, twice)
    return tuple(
        SpecialistListed.model_validate(one.model_dump(exclude_unset=True)) for one in found
    )


def _part_levels(document: YamlDocument) -> None:
    """Take ``languages: {en: C2}`` apart, into languages and levels, each where it was typed."""
    for index, one in enumerate(_people(document)):
        languages = one.get("languages")
        if isinstance(languages, dict):
            one["languages"], one["levels"] = list(languages), languages
            at = (_ALL, index)
            for number, tag in enumerate(languages):
                place = document.places[*at, "languages", tag]
                document.places[*at, "languages", number] = place
                document.places[*at, "levels", tag] = place
            document.places[*at, "levels"] = document.places[*at, "languages"]


def _twice(document: YamlDocument) -> list[Fault]:
    """Find who is listed before: also in a file that has other faults."""
    found: list[Fault] = []
    lines: dict[object, int] = {}
    for index, one in enumerate(_people(document)):
        path = (_ALL, index, "specialist_id")
        name, line = str(one.get("specialist_id")), document.place_of(path).line
        if name in lines and path in document.places:
            found.append((path, f"{name!r} is listed in line {lines[name]} already; keep one"))
        lines.setdefault(name, line)
    return found


def _people(document: YamlDocument) -> list[dict[str, object]]:
    content = document.content
    people = content.get(_ALL) if isinstance(content, dict) else None
    return [one if isinstance(one, dict) else {} for one in people or ()]
