"""Language codes and levels on the roster."""

import re
from difflib import get_close_matches
from typing import Annotated, Final

from pydantic import BeforeValidator, Field

__all__ = ["HIGHEST", "Level", "known_language"]

HIGHEST: Final = 5
_CEFR: Final = {"A1": 1, "A2": 2, "B1": 3, "B2": 4, "C1": 5, "C2": 5}
"""C1 and C2 are both the highest level: no ticket needs more than C1."""
_TAG: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_LONG_NAMES: Final = {
    "english": "en",
    "german": "de",
    "french": "fr",
    "spanish": "es",
    "japanese": "ja",
    "portuguese": "pt",
    "italian": "it",
    "dutch": "nl",
    "deutsch": "de",
    "jp": "ja",
    "cn": "zh",
    "cz": "cs",
    "dk": "da",
    "gr": "el",
    "kr": "ko",
}
"""Common wrong inputs and the code they mean: a language's name, or a country's code."""
_CODES: Final = frozenset(  # one string is easier to read than 190 quoted codes
    # ISO 639-1, and further languages that support teams speak.
    """
    aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de
    dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia
    id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo
    lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl
    ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk
    tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
    ceb ckb cmn fil gsw haw hmn kok mai yue
    """.split()  # noqa: SIM905 - as above
)


def _level(given: object) -> object:
    if not isinstance(given, str):
        return given
    level = _CEFR.get(given.upper(), given)
    if level not in {*_CEFR.values(), *map(str, range(1, HIGHEST + 1))}:
        raise ValueError(f"{given!r} is no level; write A1 to C2, or 1 to {HIGHEST}")
    return level


type Level = Annotated[int, BeforeValidator(_level), Field(ge=1, le=HIGHEST)]
"""A specialist's level in a language, from 1 to 5; CEFR levels A1 to C2 are converted."""


def known_language(tag: str) -> str:
    """Return a valid BCP 47 tag. Raises ValueError, with a suggestion, for an unknown language."""
    code = tag.partition("-")[0]
    if _TAG.fullmatch(tag) and code in _CODES:
        return tag
    name = code.lower()
    meant = _LONG_NAMES.get(name) or (name if name in _CODES else None)
    if meant is None:
        meant = next((_LONG_NAMES[n] for n in get_close_matches(name, _LONG_NAMES, n=1)), None)
    hint = f"did you mean {meant!r}?" if meant else "write a code such as en, de or pt-BR"
    raise ValueError(f"unknown language {tag!r}; {hint}")
