"""Matching keeps nearly all promises that somebody who knew the day beforehand could keep."""

from statistics import mean

from tests.matching.cases import Case, draw
from tests.matching.strategies import least_loaded, optimum, ours, round_robin

from shared.testing.builders import a_specialist, a_ticket

SEEDS = range(1_000, 1_015)


def test_nearly_all_promises_that_can_be_kept_are_kept() -> None:
    """On average 98 % of the most, never less than 90 %, and more than the plain ways keep."""
    cases = [case for seed in SEEDS if optimum(case := draw(seed))]
    shares = [ours(case) / optimum(case) for case in cases]
    assert mean(shares) >= 0.98
    assert min(shares) >= 0.9
    for plain in (least_loaded, round_robin):
        assert mean(shares) > mean(plain(case) / optimum(case) for case in cases)


def test_the_optimum_knows_what_is_to_come() -> None:
    """Who speaks Japanese is kept for whom only they can help; the plain ways see no reason to."""
    team = [
        a_specialist("ann", languages=("ja", "en"), capacity={"chat": 1}),
        a_specialist("bo", capacity={"chat": 1}),
    ]
    tickets = [a_ticket("T1", channel="chat"), a_ticket("T2", channel="chat", language="ja")]
    case = Case(team, tickets)
    assert [way(case) for way in (optimum, ours, round_robin, least_loaded)] == [2, 2, 1, 1]
