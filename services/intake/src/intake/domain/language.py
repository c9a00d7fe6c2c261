"""Which language a request is in: as its sender says, else as it reads, else as the account's.

A text is read with expectations: among the languages that the roster serves, English and the
account's. So few words are enough, and what nobody expects must be shown all the more clearly.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from functools import cache
from typing import Final

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from shared.events import LanguageDecision

__all__ = ["decide", "load"]

_CHARACTERS_MAX: Final = 600  # of subject and body together: more makes it slower, not surer
_CONFIDENCE_MIN: Final = 0.7  # docs/language.md has what others would cost
_CONFIDENCE_MIN_UNEXPECTED: Final = 0.8
_ENGLISH: Final = "en"
_UNDETERMINED: Final = "und"  # BCP 47's way to say nothing
_NO_LANGUAGE: Final = "zxx"  # and its name for keys, logs, base64: the model knows these, too
_ACCOUNTS_WEIGHT: Final = 2.0
"""How much more the account's language is expected than English and those of the roster: little
enough that a text in one of those is read as what it is."""
_UNEXPECTED_WEIGHT: Final = 0.03
"""How much less each other language is."""
_ONE_NAME: Final = {
    variety: language
    for language, varieties in {
        "ar": ("ary", "arz"),
        "el": ("grc",),
        "es": ("an", "ext"),
        "he": ("hbo", "iw"),
        "ku": ("ckb", "sdh"),
        "lv": ("ltg",),
        "nb": ("no",),
        "tl": ("fil",),
        "uz": ("uzs",),
        "zh": ("cmn", "wuu", "yue"),
    }.items()
    for variety in varieties
}
"""What the model or a roster tells apart and a specialist need not: who reads one answers all."""
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
    *,
    tag: str | None,
    subject: str,
    body: str,
    account_language: str | None,
    served: Collection[str] = (),
) -> LanguageDecision:
    """Never raises, whatever the text; looks at its first 600 characters.

    Detection names a base language (``pt``); a sender's or an account's tag is taken as it is.
    ``served`` are the tags that the roster serves; while none are known, any is expected alike.
    """
    if tag and tag != _UNDETERMINED:
        return LanguageDecision(language=tag, by="sender", note="The sender says so.")
    text = _prose(subject, body)
    if not any(map(str.isalpha, text)):
        return _instead("There is no text to read", account_language)
    weights = {_base(tag): 1.0 for tag in (_ENGLISH, _NO_LANGUAGE, *served)}
    unexpected = _UNEXPECTED_WEIGHT if served else 1.0
    if account_language:
        weights[_base(account_language)] = _ACCOUNTS_WEIGHT
    language, confidence = _read(text, weights, unexpected)
    if confidence < (_CONFIDENCE_MIN if language in weights else _CONFIDENCE_MIN_UNEXPECTED):
        return _instead("The text does not show it surely", account_language)
    if language == _NO_LANGUAGE:
        return _instead("The text is in no language", account_language)
    return LanguageDecision(
        language=language, by="detected", confidence=confidence, note="Read from the text."
    )


def _instead(why: str, account_language: str | None) -> LanguageDecision:
    if account_language:
        note = f"{why}; the account's language is taken."
        return LanguageDecision(language=account_language, by="account", note=note)
    return LanguageDecision(language=_ENGLISH, by="default", note=f"{why}; English is taken.")


def _base(tag: str) -> str:
    """Name the language of a tag as the model's shares are added up: ``pt-BR`` is ``pt``."""
    code = tag.partition("-")[0].lower()
    return _ONE_NAME.get(code, code)


def _prose(subject: str, body: str) -> str:
    """Leave out what is in no language: addresses, and placeholders such as ``<name>``."""
    head = f"{subject[:_CHARACTERS_MAX]}\n{body[:_CHARACTERS_MAX]}"[:_CHARACTERS_MAX]
    return _NO_PROSE.sub(" ", head)


def _read(text: str, weights: Mapping[str, float], unexpected: float) -> tuple[str, float]:
    """Say which language is likeliest, and how likely, by what the model sees and we expect.

    The model knows words by the spaces around them: so each gets its own, and none is another for
    being written large.
    """
    words = " ".join(text.lower().split())
    shares: Counter[str] = Counter()
    for label, share in load().rank(f" {words} "):
        language = _ONE_NAME.get(label, label)
        shares[language] += share * weights.get(language, unexpected)
    language, share = shares.most_common(1)[0]
    return language, round(share / shares.total(), 4)
