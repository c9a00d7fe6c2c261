"""Decides a request's language: the sender's tag, else detected in the text, else the account's.

Detection expects English, the account's language and the languages of the roster. Therefore a few
words are enough to detect these, while any other language needs clearer evidence.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from functools import cache
from typing import Final

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from shared.events import LanguageDecision

__all__ = ["decide", "load"]

_CHARACTERS_MAX: Final = 600  # of subject and body together: more is slower, and no more certain
_CONFIDENCE_MIN: Final = 0.7  # docs/language.md compares other thresholds
_CONFIDENCE_MIN_UNEXPECTED: Final = 0.8
_ENGLISH: Final = "en"
_UNDETERMINED: Final = "und"  # BCP 47: the language is unknown
_NO_LANGUAGE: Final = "zxx"  # BCP 47: the text is in no language (keys, logs); a label of the model
_ACCOUNTS_WEIGHT: Final = 2.0
"""The weight of the account's language, where English and the roster's languages have 1. It is
small enough that a text in one of those is still detected correctly."""
_UNEXPECTED_WEIGHT: Final = 0.03
"""The weight of every other language."""
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
"""Varieties that a model or roster distinguishes, by the language in which they are answered."""
_NO_PROSE: Final = re.compile(
    r"(?<![a-z])[a-z]{2,10}://[!-~]+"  # matches at the start of a word only, to take linear time
    r"|(?<![!-~])[!-~]{1,64}@[!-~]+"
    r"|www\.[!-~]+"
    r"|<[^<>]{1,40}>",
    re.IGNORECASE,
)


@cache
def load() -> LanguageIdentifier:
    """Load the model once. This takes a second: call it at the start, outside the event loop."""
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def decide(
    *,
    tag: str | None,
    subject: str,
    body: str,
    account_language: str | None,
    served: Collection[str] = (),
) -> LanguageDecision:
    """Decide a request's language: the sender's ``tag``, else detected, else the account's.

    It reads at most 600 characters of the text, and never raises. Detection returns a base language
    (``pt``); a sender's or an account's tag is not changed. ``served`` are the roster's tags;
    without any, all languages except the account's have the same weight.
    """
    if tag and tag != _UNDETERMINED:
        return LanguageDecision(language=tag, by="sender", note="The sender set it.")
    text = _prose(subject, body)
    if not any(map(str.isalpha, text)):
        return _fallback("There is no text to detect", account_language)
    weights = {_base(tag): 1.0 for tag in (_ENGLISH, _NO_LANGUAGE, *served)}
    unexpected = _UNEXPECTED_WEIGHT if served else 1.0
    if account_language:
        weights[_base(account_language)] = _ACCOUNTS_WEIGHT
    language, confidence = _read(text, weights, unexpected)
    if confidence < (_CONFIDENCE_MIN if language in weights else _CONFIDENCE_MIN_UNEXPECTED):
        return _fallback("The detection is not certain", account_language)
    if language == _NO_LANGUAGE:
        return _fallback("The text is in no language", account_language)
    return LanguageDecision(
        language=language, by="detected", confidence=confidence, note="Detected in the text."
    )


def _fallback(why: str, account_language: str | None) -> LanguageDecision:
    if account_language:
        note = f"{why}; the account's language is used."
        return LanguageDecision(language=account_language, by="account", note=note)
    return LanguageDecision(language=_ENGLISH, by="default", note=f"{why}; English is used.")


def _base(tag: str) -> str:
    """Return the base language of a tag: ``pt-BR`` is ``pt``, and the variety ``ary`` is ``ar``."""
    code = tag.partition("-")[0].lower()
    return _ONE_NAME.get(code, code)


def _prose(subject: str, body: str) -> str:
    """Cut subject and body to 600 characters; remove URLs, mail addresses, and ``<name>``."""
    head = f"{subject[:_CHARACTERS_MAX]}\n{body[:_CHARACTERS_MAX]}"[:_CHARACTERS_MAX]
    return _NO_PROSE.sub(" ", head)


def _read(text: str, weights: Mapping[str, float], unexpected: float) -> tuple[str, float]:
    """Return the most likely language and its probability, by the model and the weights.

    The text is passed in lower case and with single spaces around words, because the model
    depends on them.
    """
    words = " ".join(text.lower().split())
    shares: Counter[str] = Counter()
    for label, share in load().rank(f" {words} "):
        language = _ONE_NAME.get(label, label)
        shares[language] += share * weights.get(language, unexpected)
    language, share = shares.most_common(1)[0]
    return language, round(share / shares.total(), 4)
