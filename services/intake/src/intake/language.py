"""Which language a request is in: as its sender says, else as it reads, else as the account's."""

import re
from collections import Counter
from functools import cache
from itertools import islice
from typing import Final
from unicodedata import east_asian_width

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from shared.events import LanguageDecision

__all__ = ["decide", "load"]

_CHARACTERS_MAX: Final = 600  # of subject and body together: more makes it slower, not surer
_LETTERS_MIN: Final = 10
_CONFIDENCE_MIN: Final = 0.8  # docs/language.md has what others would cost
_ENGLISH: Final = "en"
_UNDETERMINED: Final = "und"  # BCP 47's way to say nothing
_NO_LANGUAGE: Final = "zxx"  # and its name for keys, logs, base64: the model knows these, too
_ONE_NAME: Final = {
    variety: language
    for language, varieties in {
        "ar": ("ary", "arz"),
        "el": ("grc",),
        "es": ("an", "ext"),
        "he": ("hbo",),
        "ku": ("sdh",),
        "lv": ("ltg",),
        "nb": ("no",),
        "uz": ("uzs",),
        "zh": ("wuu", "yue"),
    }.items()
    for variety in varieties
}
"""What the model tells apart and a specialist need not: who reads the one answers the other."""
_NO_PROSE: Final = re.compile(
    r"(?<![a-z])[a-z]{2,10}://[!-~]+"  # starts at a word only, to be linear in hostile text
    r"|(?<![!-~])[!-~]{1,64}@[!-~]+"
    r"|www\.[!-~]+"
    r"|<[^<>]{1,40}>",
    re.IGNORECASE,
)


@cache
def load() -> LanguageIdentifier:
    """Read the model once, in about a second: call it at the start, off the event loop."""
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def decide(
    *, tag: str | None, subject: str, body: str, account_language: str | None
) -> LanguageDecision:
    """Never raises, whatever the text; looks at its first 600 characters.

    Detection names a base language (``pt``); a sender's or an account's tag is taken as it is.
    """
    if tag and tag != _UNDETERMINED:
        return LanguageDecision(language=tag, by="sender", note="The sender says so.")
    text = _prose(subject, body)
    if not _has_enough(text):
        return _instead("Too short to be sure", account_language)
    language, confidence = _read(text)
    if language == _NO_LANGUAGE:
        return _instead("The text is in no language", account_language)
    if confidence < _CONFIDENCE_MIN:
        return _instead("The text does not show it surely", account_language)
    return LanguageDecision(
        language=language, by="detected", confidence=confidence, note="Read from the text."
    )


def _instead(why: str, account_language: str | None) -> LanguageDecision:
    if account_language:
        note = f"{why}; the account's language is taken."
        return LanguageDecision(language=account_language, by="account", note=note)
    return LanguageDecision(language=_ENGLISH, by="default", note=f"{why}; English is taken.")


def _prose(subject: str, body: str) -> str:
    """Leave out what is in no language: addresses, and placeholders such as ``<name>``."""
    head = f"{subject[:_CHARACTERS_MAX]}\n{body[:_CHARACTERS_MAX]}"[:_CHARACTERS_MAX]
    return _NO_PROSE.sub(" ", head)


def _has_enough(text: str) -> bool:
    """Count letters; one that says as much as a syllable or a word, as in Chinese, counts twice."""
    letters = islice(filter(str.isalpha, text), _LETTERS_MIN)
    return sum(2 if east_asian_width(letter) == "W" else 1 for letter in letters) >= _LETTERS_MIN


def _read(text: str) -> tuple[str, float]:
    shares: Counter[str] = Counter()
    for language, share in load().rank(text):
        shares[_ONE_NAME.get(language, language)] += share
    language, share = shares.most_common(1)[0]
    return language, min(1.0, round(share, 4))
