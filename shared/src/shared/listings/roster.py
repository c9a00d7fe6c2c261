"""Reads a roster from YAML or CSV."""

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from shared.basics.csv_source import Columns, list_of
from shared.basics.yaml_source import YamlDocument
from shared.events import SpecialistListed
from shared.listings.document import items_of, read_list, validated
from shared.rosters import known_language

__all__ = ["read_roster"]

_ALL: Final = "specialists"
_MAIL: Final = re.compile(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+")


def _pairs(text: str) -> dict[str, str]:
    """Parse "phone=5; email=2"."""
    halves = (part.partition("=") for part in list_of(text))
    return {name.strip(): value.strip() for name, _, value in halves}


def _languages(text: str) -> object:
    """Parse "en=C2; de=B2", or "en; de" without levels."""
    return _pairs(text) if "=" in text else list_of(text)


def _hours(text: str) -> dict[str, list[str]]:
    """Parse "mon-thu 09:00-13:00 14:00-18:00; fri 09:00-13:00"."""
    return {days: blocks for days, *blocks in map(str.split, list_of(text))}


def _leave(text: str) -> list[dict[str, str]]:
    """Parse "2026-12-24..2027-01-02; 2027-05-14"."""
    spans = (part.partition("..") for part in list_of(text))
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
    "skills": (("skills",), list_of),
    "team": (("team",), str),
    "zone": (("shifts", "zone"), str),
    "hours": (("shifts", "hours"), _hours),
    "holidays": (("shifts", "holidays"), list_of),
    "half_days": (("shifts", "half_days"), _hours),
    "leave": (("shifts", "leave"), _leave),
    "certified": (("certified",), str),
    "auto_ring": (("auto_ring",), str),
    "presence": (("presence",), str),
}


def _unique(tags: tuple[str, ...]) -> tuple[str, ...]:
    if repeated := [tag for n, tag in enumerate(tags) if tag in tags[:n]]:
        raise ValueError(f"{repeated[0]!r} stands here twice; keep one")
    return tags


def _mail(value: object) -> object:
    if not isinstance(value, str) or not _MAIL.fullmatch(value):
        raise ValueError(f"{value!r} is no mail address; write one such as mara@support.example")
    return value


class _Listed(SpecialistListed):
    model_config = ConfigDict(extra="forbid", frozen=True)

    mail: Annotated[str, BeforeValidator(_mail), Field(max_length=254)]
    languages: Annotated[
        tuple[Annotated[str, AfterValidator(known_language)], ...], AfterValidator(_unique)
    ]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    specialists: list[_Listed]


def read_roster(file: Path) -> tuple[SpecialistListed, ...]:
    """Read and check a roster.

    Raises:
        Refused: with all faults of the file.
    """
    document = read_list(file, _COLUMNS, _ALL)
    _separate_levels(document)
    found = validated(document, _File, _ALL, "specialist_id").specialists
    return tuple(
        SpecialistListed.model_validate(one.model_dump(exclude_unset=True)) for one in found
    )


def _separate_levels(document: YamlDocument) -> None:
    """Split ``languages: {en: C2}`` into languages and levels, with their positions in the file."""
    for index, one in items_of(document, _ALL):
        languages = one.get("languages")
        if isinstance(languages, dict):
            one["languages"], one["levels"] = list(languages), languages
            at = (_ALL, index)
            for number, tag in enumerate(languages):
                place = document.places[*at, "languages", tag]
                document.places[*at, "languages", number] = place
                document.places[*at, "levels", tag] = place
            document.places[*at, "levels"] = document.places[*at, "languages"]
