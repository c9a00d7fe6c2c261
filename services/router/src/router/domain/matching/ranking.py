"""Scores candidates: who may take a ticket, which rule excludes the others, and who is best.

The result depends only on the request and the candidates. So a stored decision record leads to
the same choice again.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from shared.events import Candidate, Decided, Need, Rule, Wanted, Weights

__all__ = [
    "Order",
    "decided_by",
    "evaluate",
    "idle_since",
    "load_share",
    "order",
    "order_with",
    "rank_candidates",
    "redecide",
    "score",
]

_THOUSAND: Final = 1000


class Order(NamedTuple):
    """A candidate's place among all; the lowest gets the ticket.

    It compares the number of relaxation steps, then the score, then the time of the last
    assignment, then the id.
    """

    step: int
    score: int
    idle_since: float
    specialist_id: str


def score(*, scarcity: int, load: int, knows: bool, weights: Weights) -> int:
    """Return the weighted sum of scarcity and load, in thousandths; affinity lowers it."""
    affinity = weights.affinity * _THOUSAND if knows else 0
    return weights.scarcity * scarcity + weights.load * load - affinity


def load_share(*, capacity: int, load: int, universal: int | None, held: int) -> int:
    """Return the share of the capacity that is in use, in thousandths.

    With a capacity for all channels (``universal``), the larger of the two shares counts.
    """
    share = _share(load, capacity)
    return share if universal is None else max(share, _share(held, universal))


def _share(held: int, most: int) -> int:
    return held * _THOUSAND // most if most > 0 else _THOUSAND


def idle_since(last_at: datetime | None) -> float:
    """Return when a specialist was last assigned a ticket, in Unix seconds; 0 for never."""
    return last_at.timestamp() if last_at is not None else 0.0


def evaluate(candidate: Candidate, wanted: Wanted, weights: Weights) -> Candidate:
    """Return the candidate with the first rule that excludes them, else with step and score."""
    step, short_of = _qualifies(candidate, wanted.needs)
    failed = _failed(candidate, short_of, wanted)
    if failed is not None:
        return candidate.model_copy(update={"failed": failed, "step": None, "score": None})
    total = _score(candidate, candidate.load, candidate.held, weights)
    return candidate.model_copy(update={"failed": None, "step": step, "score": total})


def order_with(
    candidate: Candidate, more: int, *, wanted: Wanted, weights: Weights
) -> Order | None:
    """Return the order that an evaluated candidate would have with ``more`` (or fewer) tickets.

    None if a rule would then exclude them.
    """
    passed_over = _is_excluded(candidate, wanted) or _is_not_pinned(candidate, wanted)
    if candidate.failed not in {None, "room"} or passed_over or candidate.room <= more:
        return None
    step = candidate.step
    if step is None:
        step, _ = _qualifies(candidate, wanted.needs)
    held = candidate.held + more * candidate.weight
    total = _score(candidate, candidate.load + more, held, weights)
    return Order(step, total, idle_since(candidate.last_at), candidate.specialist_id)


def _score(candidate: Candidate, load: int, held: int, weights: Weights) -> int:
    share = load_share(
        capacity=candidate.capacity, load=load, universal=candidate.universal, held=held
    )
    knows = candidate.knows
    return score(scarcity=candidate.scarcity, load=share, knows=knows, weights=weights)


def _qualifies(candidate: Candidate, needs: Sequence[Need]) -> tuple[int, Rule | None]:
    """Return the index of the first need that a candidate meets, else what they lack."""
    short_of: Rule = "language"
    for step, need in enumerate(needs):
        if need.language is not None and candidate.levels.get(need.language, 0) < need.level:
            continue
        if set(need.skills) <= set(candidate.skills):
            return step, None
        short_of = "skill"
    return 0, short_of


def _is_excluded(candidate: Candidate, wanted: Wanted) -> bool:
    return candidate.set_aside and not wanted.all_set_aside


def _is_not_pinned(candidate: Candidate, wanted: Wanted) -> bool:
    return wanted.pinned_to not in {None, candidate.specialist_id}


def _failed(candidate: Candidate, short_of: Rule | None, wanted: Wanted) -> Rule | None:
    rules: tuple[tuple[bool, Rule | None], ...] = (
        (candidate.capacity <= 0, "channel"),
        (not candidate.certified, "certified"),
        (short_of is not None, short_of),
        (candidate.presence != "online" or candidate.unheard, "presence"),
        (not candidate.on_shift, "shift"),
        (candidate.room <= 0, "room"),
        (_is_excluded(candidate, wanted), "set_aside"),
        (_is_not_pinned(candidate, wanted), "pinned"),
    )
    return next((rule for fails, rule in rules if fails), None)


def order(candidate: Candidate) -> Order | None:
    """Return the order of an evaluated candidate; None if a rule excludes them."""
    if candidate.step is None or candidate.score is None:
        return None
    return Order(
        candidate.step,
        candidate.score,
        idle_since(candidate.last_at),
        candidate.specialist_id,
    )


def rank_candidates(candidates: Iterable[Candidate]) -> tuple[Order, ...]:
    """Sort the evaluated candidates whom no rule excludes; the first gets the ticket."""
    return tuple(sorted(one for c in candidates if (one := order(c)) is not None))


def decided_by(ranked: Sequence[Order]) -> Decided | None:
    """Return by what the first candidate is ahead of the second."""
    if len(ranked) < 2:  # noqa: PLR2004 - a pair
        return "only" if ranked else None
    first, second = ranked[:2]
    if first.step != second.step:
        return "step"
    if first.score != second.score:
        return "score"
    return "idle_longest" if first.idle_since != second.idle_since else "id"


def redecide(wanted: Wanted, weights: Weights, candidates: Iterable[Candidate]) -> str | None:
    """Decide again from a record's facts, without its result; return the specialist's id."""
    ranked = rank_candidates(evaluate(one, wanted, weights) for one in candidates)
    return ranked[0].specialist_id if ranked else None
