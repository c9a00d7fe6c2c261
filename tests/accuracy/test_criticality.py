"""How well the first text about an incident predicts its severity, on a real status history.

The labels are the provider's, given with hindsight; the texts are the provider's first updates, not
claims of customers. See docs/criticality.md for the limits of this measurement.
"""

import gzip
import html
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from intake.domain.criticality import read_claim
from shared.events import Leaning

DATA: Final = Path(os.environ.get("PREMIUM_DATA", Path(__file__).parents[3] / "shared" / "data"))
INCIDENTS: Final = 1282
CRITICAL: Final = {"major", "critical"}
LEANINGS: Final[tuple[Leaning, ...]] = ("critical", "unclear", "not_critical")
KEYWORD: Final = re.compile(r"\b(?:outage|down|unavailable)\b", re.IGNORECASE)
FIRST_OF_MERGED: Final = re.compile(r"<li><strong>[^<]*</strong> - (.*?)</li>", re.DOTALL)
TAG: Final = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Incident:
    """An incident as first reported."""

    year: int
    impact: str
    text: str

    @property
    def critical(self) -> bool:
        """Whether the provider finally called it major or critical."""
        return self.impact in CRITICAL


@dataclass(frozen=True)
class Score:
    """The results of a rule that predicts critical incidents."""

    called: int
    right: int
    critical: int

    @property
    def precision(self) -> float:
        """The share of predicted incidents that are critical."""
        return self.right / self.called

    @property
    def recall(self) -> float:
        """The share of critical incidents that are predicted."""
        return self.right / self.critical


type Rule = Callable[[str], bool]


def always(_: str) -> bool:
    """Predict critical for every incident."""
    return True


def keyword(text: str) -> bool:
    """Predict critical by three keywords."""
    return KEYWORD.search(text) is not None


def reading(text: str) -> bool:
    """Predict critical if the reading leans to it."""
    return leaning(text) == "critical"


def leaning(text: str) -> Leaning:
    """Read a text without a subject."""
    return read_claim("", text).leaning


RULES: Final[dict[str, Rule]] = {"always": always, "keyword": keyword, "reading": reading}


@pytest.fixture(scope="module")
def incidents() -> list[Incident]:
    """Read the first update of each incident, without its title."""
    with gzip.open(DATA / "github_status_incidents.jsonl.gz", "rt", encoding="utf-8") as file:
        found = [incident(json.loads(line)) for line in file]
    assert len(found) == INCIDENTS
    return found


def incident(entry: dict[str, str | list[dict[str, str]]]) -> Incident:
    """Return the earliest update; before 2019 one list holds all of them."""
    created_at, impact, updates = entry["created_at"], entry["impact"], entry["incident_updates"]
    assert isinstance(created_at, str)
    assert isinstance(impact, str)
    assert isinstance(updates, list)
    body = min(updates, key=lambda update: update["display_at"])["body"]
    merged = FIRST_OF_MERGED.search(body)
    text = html.unescape(TAG.sub("", merged[1] if merged else body))
    return Incident(int(created_at[:4]), impact, text)


@pytest.fixture(scope="module")
def tuned(incidents: list[Incident]) -> list[Incident]:
    """Return the even years, on which the rules were tuned."""
    return [incident for incident in incidents if incident.year % 2 == 0]


@pytest.fixture(scope="module")
def held_out(incidents: list[Incident]) -> list[Incident]:
    """Return the odd years, which were not used for tuning."""
    return [incident for incident in incidents if incident.year % 2]


def score(rule: Rule, incidents: Iterable[Incident]) -> Score:
    """Count the predicted and the actual critical incidents."""
    of = Counter((rule(incident.text), incident.critical) for incident in incidents)
    return Score(of[True, True] + of[True, False], of[True, True], of[True, True] + of[False, True])


def show(title: str, incidents: Sequence[Incident]) -> dict[str, Score]:
    """Print the three rules side by side."""
    scores = {name: score(rule, incidents) for name, rule in RULES.items()}
    critical = sum(incident.critical for incident in incidents)
    print(f"\n\n{title}: {len(incidents)} incidents, {critical} critical")  # noqa: T201
    print("rule      called  right  precision  recall")  # noqa: T201
    for name, of in scores.items():
        row = f"{name:8} {of.called:7} {of.right:6} {of.precision:10.2f} {of.recall:7.2f}"
        print(row)  # noqa: T201
    return scores


def test_the_reading_beats_both_baselines_on_years_it_was_not_tuned_on(
    tuned: list[Incident], held_out: list[Incident]
) -> None:
    """On held-out years precision is two thirds, and recall three tenths."""
    show("even years, tuned on", tuned)
    scores = show("odd years, held out", held_out)
    assert scores["reading"].precision >= max(0.65, scores["keyword"].precision)
    assert scores["reading"].recall >= max(0.3, scores["keyword"].recall)


def test_texts_without_set_phrases(held_out: list[Incident]) -> None:
    """Without the set phrases of a status page, precision is a half and recall a fifth."""
    times = Counter(incident.text for incident in held_out)
    own = [incident for incident in held_out if times[incident.text] == 1]
    scores = show("odd years, texts used once", own)
    assert scores["reading"].precision >= max(0.5, scores["keyword"].precision)
    assert scores["reading"].recall >= max(0.2, scores["keyword"].recall)


def test_leanings_follow_the_label(held_out: list[Incident]) -> None:
    """Critical incidents lean to critical more often than the others, and away less often."""
    counts = Counter((incident.impact, leaning(incident.text)) for incident in held_out)
    print("\n\nodd years, by label  critical  unclear  not_critical")  # noqa: T201
    for impact in ("critical", "major", "minor", "none"):
        row = [counts[impact, of] for of in LEANINGS]
        print(f"{impact:19} {row[0]:9} {row[1]:8} {row[2]:13}")  # noqa: T201
    bad = Counter(leaning(incident.text) for incident in held_out if incident.critical)
    good = Counter(leaning(incident.text) for incident in held_out if not incident.critical)
    assert bad["critical"] / bad.total() > good["critical"] / good.total()
    assert bad["not_critical"] / bad.total() < good["not_critical"] / good.total()


def test_some_texts_are_ambiguous(incidents: list[Incident]) -> None:
    """Some critical incidents begin with the same text as others that are not."""
    good = {incident.text for incident in incidents if not incident.critical}
    bad = [incident.text for incident in incidents if incident.critical]
    shared = sum(text in good for text in bad)
    print(f"\n\n{shared} of {len(bad)} critical incidents begin like one that is not")  # noqa: T201
    assert 0 < shared < len(bad)


def test_other_languages_are_left_alone() -> None:
    """Of sentences in 74 other languages, and of plain English ones, hardly any leans."""
    leans: Counter[tuple[bool, Leaning]] = Counter()
    with gzip.open(DATA / "langid_sentences.tsv.gz", "rt", encoding="utf-8") as file:
        for line in file:
            language, _, sentence = line.partition("\t")
            leans[language == "en", leaning(sentence)] += 1
    print("\n\nsentences           critical  unclear  not_critical")  # noqa: T201
    for english, name in ((True, "English"), (False, "other languages")):
        row = [leans[english, of] for of in LEANINGS]
        print(f"{name:19} {row[0]:9} {row[1]:8} {row[2]:13}")  # noqa: T201
    others = sum(count for (english, _), count in leans.items() if not english)
    assert leans[False, "unclear"] >= 0.998 * others
    assert leans[True, "critical"] <= 5
