"""How well the first words about an incident tell how bad it is, measured on a real status history.

The labels are the provider's, given with hindsight; the texts are its own first lines, not a
customer's claim. See docs/criticality.md for what this does and does not say.
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
    """An incident as it was first told."""

    year: int
    impact: str
    text: str

    @property
    def critical(self) -> bool:
        """Whether the provider came to call it major or critical."""
        return self.impact in CRITICAL


@dataclass(frozen=True)
class Score:
    """How a rule that calls some incidents critical fared."""

    called: int
    right: int
    critical: int

    @property
    def precision(self) -> float:
        """The share of the called that are critical."""
        return self.right / self.called

    @property
    def recall(self) -> float:
        """The share of the critical that are called."""
        return self.right / self.critical


type Rule = Callable[[str], bool]


def always(_: str) -> bool:
    """Call everything critical, as whoever takes every claim at its word does."""
    return True


def keyword(text: str) -> bool:
    """Call critical what has one of three words."""
    return KEYWORD.search(text) is not None


def reading(text: str) -> bool:
    """Call critical what the reading leans to."""
    return leaning(text) == "critical"


def leaning(text: str) -> Leaning:
    """Read a text that has no subject."""
    return read_claim("", text).leaning


RULES: Final[dict[str, Rule]] = {"always": always, "keyword": keyword, "reading": reading}


@pytest.fixture(scope="module")
def incidents() -> list[Incident]:
    """Read what was known first of each incident: its first update, without its title."""
    with gzip.open(DATA / "github_status_incidents.jsonl.gz", "rt", encoding="utf-8") as file:
        found = [incident(json.loads(line)) for line in file]
    assert len(found) == INCIDENTS
    return found


def incident(told: dict[str, str | list[dict[str, str]]]) -> Incident:
    """Take the earliest update; before 2019 one list holds all of them."""
    created_at, impact, updates = told["created_at"], told["impact"], told["incident_updates"]
    assert isinstance(created_at, str)
    assert isinstance(impact, str)
    assert isinstance(updates, list)
    body = min(updates, key=lambda update: update["display_at"])["body"]
    merged = FIRST_OF_MERGED.search(body)
    text = html.unescape(TAG.sub("", merged[1] if merged else body))
    return Incident(int(created_at[:4]), impact, text)


@pytest.fixture(scope="module")
def tuned(incidents: list[Incident]) -> list[Incident]:
    """Pick the even years: the rules were tuned on these alone."""
    return [incident for incident in incidents if incident.year % 2 == 0]


@pytest.fixture(scope="module")
def held_out(incidents: list[Incident]) -> list[Incident]:
    """Pick the odd years: nobody looked at these while tuning."""
    return [incident for incident in incidents if incident.year % 2]


def score(rule: Rule, incidents: Iterable[Incident]) -> Score:
    """Count what a rule calls critical, and what is."""
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
    """On held-out years two of three that lean to critical are, and three of ten are found."""
    show("even years, tuned on", tuned)
    scores = show("odd years, held out", held_out)
    assert scores["reading"].precision >= max(0.65, scores["keyword"].precision)
    assert scores["reading"].recall >= max(0.3, scores["keyword"].recall)


def test_texts_of_their_own_words(held_out: list[Incident]) -> None:
    """Without the set phrases of a status page every second call is right, a fifth is found."""
    times = Counter(incident.text for incident in held_out)
    own = [incident for incident in held_out if times[incident.text] == 1]
    scores = show("odd years, texts used once", own)
    assert scores["reading"].precision >= max(0.5, scores["keyword"].precision)
    assert scores["reading"].recall >= max(0.2, scores["keyword"].recall)


def test_leanings_follow_the_label(held_out: list[Incident]) -> None:
    """What is labelled critical leans there more often, and away less often, than the rest."""
    counts = Counter((incident.impact, leaning(incident.text)) for incident in held_out)
    print("\n\nodd years, by label  critical  unclear  not_critical")  # noqa: T201
    for impact in ("critical", "major", "minor", "none"):
        row = [counts[impact, of] for of in LEANINGS]
        print(f"{impact:19} {row[0]:9} {row[1]:8} {row[2]:13}")  # noqa: T201
    bad = Counter(leaning(incident.text) for incident in held_out if incident.critical)
    good = Counter(leaning(incident.text) for incident in held_out if not incident.critical)
    assert bad["critical"] / bad.total() > good["critical"] / good.total()
    assert bad["not_critical"] / bad.total() < good["not_critical"] / good.total()


def test_some_texts_cannot_tell(incidents: list[Incident]) -> None:
    """Part of the critical begin with the very words of others that are not: no reading helps."""
    good = {incident.text for incident in incidents if not incident.critical}
    bad = [incident.text for incident in incidents if incident.critical]
    shared = sum(text in good for text in bad)
    print(f"\n\n{shared} of {len(bad)} critical incidents begin like one that is not")  # noqa: T201
    assert 0 < shared < len(bad)


def test_other_languages_are_left_alone() -> None:
    """Of sentences in 74 other languages hardly any leans; of plain English ones few do."""
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
