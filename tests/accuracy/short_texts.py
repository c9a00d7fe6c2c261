"""Texts of under 20 characters, each with candidate languages.

The candidates are the true language, English, and three by seed. The account's language is the
true one in half of the cases and another candidate in the others, so it does not reveal the answer.
"""

import gzip
import os
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from intake.domain.language import decide

__all__ = [
    "FOLDER",
    "SPOKEN",
    "UNKNOWN",
    "Case",
    "Reader",
    "Tally",
    "cases",
    "cut",
    "ours",
    "sentences",
    "tally",
]

FOLDER: Final = Path(os.environ.get("PREMIUM_DATA", Path(__file__).parents[3] / "shared/data"))
UNKNOWN: Final = frozenset({"mi", "tn", "ts"})
"""Languages of the data that our model was not trained on."""
SPOKEN: Final = frozenset(
    "cs da de en es fr it ja ko nb nl pl pt ru sv tr zh".split()  # noqa: SIM905 - easier to read
)
"""Seventeen that support desks speak, near relatives among them."""
_CHARACTERS_MAX: Final = 19
_OTHERS: Final = 3
_EVERY: Final = 4
_FIRST: Final = 2
"""The limits in ``intake.domain.language`` were chosen by other sentences of the set."""


@dataclass(frozen=True, slots=True)
class Case:
    """A text, its language, the candidates, and the account's language."""

    text: str
    language: str
    candidates: tuple[str, ...]
    account: str


type Reader = Callable[[Case], str | None]
"""Names the language of a text; None where it is not sure."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Shares of all cases; the rest is left to the account's language."""

    cases: int
    right: float
    wrong: float


def sentences() -> list[tuple[str, str]]:
    """Read all sentences, each with its language."""
    with gzip.open(FOLDER / "langid_sentences.tsv.gz", "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").partition("\t") for line in file]
    return [(language, sentence) for language, _, sentence in rows]


def cut(sentence: str, characters_max: int) -> str:
    """Shorten a text at a space, if there is one."""
    head = sentence[: characters_max + 1]
    return (head.rpartition(" ")[0] or head)[:characters_max]


def cases(rows: Sequence[tuple[str, str]], languages: Iterable[str], *, seed: int) -> list[Case]:
    """Make a case of every fourth sentence in some languages."""
    lots = random.Random(seed)  # noqa: S311 - the same cases each time
    pool = sorted(languages)
    made = []
    for language, sentence in rows[_FIRST::_EVERY]:
        if language not in pool:
            continue
        others = lots.sample([one for one in pool if one not in {language, "en"}], _OTHERS)
        candidates = tuple(sorted({language, "en", *others}))
        wrong = lots.choice([one for one in candidates if one != language])
        account = language if lots.random() < 0.5 else wrong
        made.append(Case(cut(sentence, _CHARACTERS_MAX), language, candidates, account))
    return made


def ours(case: Case) -> str | None:
    """Detect a language as intake does, with the candidates as the roster's languages."""
    decision = decide(
        tag=None,
        subject=case.text,
        body="",
        account_language=case.account,
        served=case.candidates,
    )
    return decision.language if decision.by == "detected" else None


def tally(read: Reader, of: Sequence[Case]) -> Tally:
    """Run all cases and count the results."""
    answers = [(case.language, read(case)) for case in of]
    right = sum(answer == language for language, answer in answers)
    sure = sum(answer is not None for _, answer in answers)
    return Tally(len(of), right / len(of), (sure - right) / len(of))
