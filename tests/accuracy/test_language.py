"""The accuracy and cost of language detection on real sentences and tickets."""

import csv
import gzip
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import pytest
from tests.accuracy.short_texts import FOLDER, UNKNOWN, cut
from tests.accuracy.short_texts import sentences as all_sentences

from intake.domain.language import decide, load
from shared.basics.clock import elapsed_s

EVERY: Final = 8  # of the 37,071 sentences
CUTS: Final = (20, 40)
BANDS: Final = (50, 100, 150)
LARGE: Final = ("en", "es", "pt", "fr", "de", "it", "nl", "ja", "zh", "ko", "pl", "ru")
MEMORY_MB_MAX: Final = 150

MEMORY = """
import intake.app, psutil
bare = psutil.Process().memory_info().rss
from intake.domain.language import decide, load
from shared.basics.clock import elapsed_s
since = elapsed_s()
load()
loaded_s = elapsed_s(since)
decide(tag=None, subject="Nobody can log in this morning", body="", account_language=None)
print((psutil.Process().memory_info().rss - bare) / 1e6, loaded_s)
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """The result for a text: ``read`` is None if detection left it to the account."""

    wanted: str
    read: str | None
    characters: int
    took_ms: float


@dataclass(frozen=True, slots=True)
class Score:
    """Shares of all texts: decided, and decided wrongly; ``right`` is a share of the decided."""

    texts: int
    coverage: float
    right: float
    wrong_and_sure: float

    def row(self) -> str:
        """Format a row of the tables in docs/language.md."""
        shares = (self.coverage, self.right, self.wrong_and_sure)
        return " | ".join((f"{self.texts:,}", *(f"{share:.1%}" for share in shares)))


def read(wanted: str, subject: str, body: str = "") -> Reading:
    """Detect the language without values from sender and account."""
    since = elapsed_s()
    decision = decide(tag=None, subject=subject, body=body, account_language=None)
    took_ms = elapsed_s(since) * 1e3
    language = decision.language if decision.by == "detected" else None
    return Reading(wanted, language, len(subject) + len(body), took_ms)


def score(readings: Sequence[Reading]) -> Score:
    """Compute the score."""
    decided = [r for r in readings if r.read is not None]
    right = sum(r.read == r.wanted for r in decided)
    return Score(
        texts=len(readings),
        coverage=len(decided) / len(readings),
        right=right / len(decided) if decided else 0.0,
        wrong_and_sure=(len(decided) - right) / len(readings),
    )


def show(title: str, rows: Iterable[tuple[str, Score]]) -> None:
    """Print a table for docs/language.md."""
    print(f"\n| {title} | texts | decided | right of these | wrong and sure |")  # noqa: T201
    print("|---|---|---|---|---|")  # noqa: T201
    for name, scored in rows:
        print(f"| {name} | {scored.row()} |")  # noqa: T201


@pytest.fixture(scope="module")
def sentences() -> list[tuple[str, str]]:
    """Return every eighth sentence of 75 languages."""
    return all_sentences()[::EVERY]


@pytest.fixture(scope="module")
def known(sentences: list[tuple[str, str]]) -> list[Reading]:
    """Detect whole sentences in languages that the model knows."""
    load()
    return [read(language, text) for language, text in sentences if language not in UNKNOWN]


@pytest.fixture(scope="module")
def tickets() -> list[Reading]:
    """Detect the language of all written tickets."""
    file = FOLDER / "multilang_tickets_synthetic.csv.gz"
    with gzip.open(file, "rt", encoding="utf-8", newline="") as rows:
        return [read(t["language"], t["subject"], t["body"]) for t in csv.DictReader(rows)]


def test_length_decides_how_much_is_read(
    sentences: list[tuple[str, str]], known: list[Reading]
) -> None:
    """Shorter texts are decided less often; decided ones are right at every length."""
    bands: dict[str, list[Reading]] = {
        f"cut to {characters}": [
            read(language, cut(text, characters))
            for language, text in sentences
            if language not in UNKNOWN
        ]
        for characters in CUTS
    }
    for low, high in zip((0, *BANDS), (*BANDS, None), strict=True):
        name = f"{low} to {high - 1}" if high else f"{low} and more"
        bands[name] = [r for r in known if low <= r.characters < (high or r.characters + 1)]
    scores = {name: score(readings) for name, readings in bands.items()}
    show("characters", scores.items())
    coverage = [s.coverage for s in scores.values()]
    assert coverage == sorted(coverage)
    assert coverage[0] >= 0.35
    assert coverage[-1] >= 0.9
    assert max(s.wrong_and_sure for s in scores.values()) <= 0.015


def test_each_large_language_is_read(known: list[Reading]) -> None:
    """Of the twelve largest languages four in five sentences are decided, almost all right."""
    scores = by_language(known)
    large = [(language, scores[language]) for language in LARGE]
    worst = sorted(scores.items(), key=lambda item: (-item[1].wrong_and_sure, item[1].coverage))
    least = sorted(scores.items(), key=lambda item: item[1].coverage)
    show("language", large)
    show("most often wrong", worst[:10])
    show("least often decided", least[:10])
    show("all that the model knows", [("sentences", score(known))])
    assert min(s.coverage for _, s in large) >= 0.8
    assert max(s.wrong_and_sure for _, s in large) <= 0.01
    assert worst[0][1].wrong_and_sure <= 0.25
    assert score(known).wrong_and_sure <= 0.01
    assert score(known).coverage >= 0.82


def test_unknown_languages_are_mostly_left_alone(sentences: list[tuple[str, str]]) -> None:
    """Most sentences in languages unknown to the model are not decided."""
    unknown = [read(language, text) for language, text in sentences if language in UNKNOWN]
    show("language unknown to the model", by_language(unknown).items())
    assert score(unknown).wrong_and_sure <= 0.5


def test_tickets_are_read(tickets: list[Reading]) -> None:
    """A ticket of usual length is nearly always decided, and never wrongly."""
    scores = by_language(tickets)
    show("tickets (machine-written)", [*scores.items(), ("all", score(tickets))])
    assert score(tickets).coverage >= 0.97
    assert score(tickets).wrong_and_sure == 0


def test_reading_costs_little(known: list[Reading], tickets: list[Reading]) -> None:
    """The model needs at most 150 MB, and a usual text little processor time."""
    ran = subprocess.run((sys.executable, "-c", MEMORY), capture_output=True, text=True, check=True)
    memory_mb, loaded_s = map(float, ran.stdout.split())
    print(f"\nmodel: {memory_mb:.0f} MB over the service, loaded in {loaded_s:.2f} s")  # noqa: T201
    for name, readings in (("a sentence", known), ("a ticket", tickets)):
        took_ms = [r.took_ms for r in readings]
        p99 = statistics.quantiles(took_ms, n=100)[-1]
        print(f"{name}: median {statistics.median(took_ms):.2f} ms, p99 {p99:.2f} ms")  # noqa: T201
    assert memory_mb <= MEMORY_MB_MAX


def by_language(readings: Iterable[Reading]) -> dict[str, Score]:
    """Compute the score of each language."""
    parts = defaultdict(list)
    for reading in readings:
        parts[reading.wanted].append(reading)
    return {language: score(part) for language, part in parts.items()}
