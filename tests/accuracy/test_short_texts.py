"""The accuracy on texts of under 20 characters, among the languages of a roster."""

from dataclasses import replace

import pytest
from tests.accuracy.short_texts import SPOKEN, UNKNOWN, cases, ours, sentences, tally

SEEDS = (1, 2, 3)


@pytest.fixture(scope="module")
def rows() -> list[tuple[str, str]]:
    """Read the sentences."""
    return sentences()


@pytest.mark.parametrize("draw", SEEDS)
def test_short_texts_are_detected_among_the_served_languages(
    rows: list[tuple[str, str]], draw: int
) -> None:
    """Of 17 languages 85 % are right, and at most 1 % wrong."""
    score = tally(ours, cases(rows, SPOKEN, seed=draw))
    print(f"\n17 languages, seed {draw}: {score}")  # noqa: T201
    assert score.right >= 0.85
    assert score.wrong <= 0.01


def test_short_texts_are_detected_among_all_languages(rows: list[tuple[str, str]]) -> None:
    """The same for all languages that the model knows."""
    score = tally(ours, cases(rows, {one for one, _ in rows} - UNKNOWN, seed=1))
    print(f"\nall languages: {score}")  # noqa: T201
    assert score.right >= 0.85
    assert score.wrong <= 0.01


@pytest.mark.parametrize("is_true", [True, False])
def test_the_accounts_language_does_not_bias_the_result(
    rows: list[tuple[str, str]], *, is_true: bool
) -> None:
    """With another account language hardly more texts are wrong."""
    some = [
        case for case in cases(rows, SPOKEN, seed=1) if (case.account == case.language) == is_true
    ]
    score = tally(ours, some)
    print(f"\naccount's language true: {is_true}: {score}")  # noqa: T201
    assert score.right >= 0.82
    assert score.wrong <= 0.015


def test_languages_that_are_not_served_are_mostly_left_alone(rows: list[tuple[str, str]]) -> None:
    """Texts in other languages than the served ones and the account's are hardly decided."""
    foreign = [
        replace(case, candidates=tuple(one for one in case.candidates if one != case.language))
        for case in cases(rows, SPOKEN, seed=1)
        if case.language not in {"en", case.account}
    ]
    score = tally(ours, foreign)
    print(f"\nneither served nor the account's: {score}")  # noqa: T201
    assert score.wrong <= 0.08
