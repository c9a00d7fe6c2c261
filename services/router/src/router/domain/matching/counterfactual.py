"""The smallest change of one fact about a specialist by which another would get the ticket."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from router.domain.matching.ranking import Order, evaluate, order, order_with
from shared.events import RULES, Candidate, Change, Need, Rule, Wanted, Weights

__all__ = ["apply_change", "smallest_change"]

_FIRST: Final[tuple[Rule, ...]] = ("room", "set_aside", "presence", "shift", *RULES)
"""The rules in order of preference: of two changes of equal size, the earlier rule counts."""


def smallest_change(
    wanted: Wanted, weights: Weights, candidates: Sequence[Candidate], ranked: Sequence[Order]
) -> Change | None:
    """Return the smallest decisive change of a candidate; None if no single change decides."""
    best: tuple[tuple[int, int, str], Change] | None = None
    for candidate in sorted(candidates, key=lambda one: one.specialist_id):
        for change in _decisive_changes(candidate, wanted, weights, ranked):
            size = (abs(change.by) or 1, _FIRST.index(change.rule), candidate.specialist_id)
            if best is None or size < best[0]:
                best = size, change
            if size[:2] == (1, 0):
                return change
    return best and best[1]


def apply_change(candidate: Candidate, change: Change, needs: Sequence[Need]) -> Candidate:
    """Return the candidate with the changed fact."""
    facts: dict[str, Any]
    match change.rule:
        case "room":
            held = candidate.held + change.by * candidate.weight
            facts = {"load": candidate.load + change.by, "held": held}
        case "presence":
            online = candidate.presence == "online" and not candidate.unheard
            facts = {"presence": "offline" if online else "online", "unheard": False}
        case "shift":
            facts = {"on_shift": not candidate.on_shift}
        case "set_aside":
            facts = {"set_aside": not candidate.set_aside}
        case "certified":
            facts = {"certified": not candidate.certified}
        case "channel":
            facts = {"capacity": candidate.load + 1}
        case "language":
            known = candidate.levels
            better = {
                need.language: known.get(need.language, 0) + change.by
                for need in needs
                if need.language is not None
                and 0 < need.level - known.get(need.language, 0) <= change.by
            }
            facts = {"levels": {**known, **better}}
        case "skill":
            facts = {"skills": next(n.skills for n in needs if _lacks(candidate, n) == change.by)}
        case "pinned":
            facts = {}  # a pin is a fact about the ticket, not about a specialist
    return candidate.model_copy(update=facts)


def _decisive_changes(
    candidate: Candidate, wanted: Wanted, weights: Weights, ranked: Sequence[Order]
) -> Iterator[Change]:
    """Yield the changes of one candidate that change who gets the ticket."""
    first, second = (*ranked, None, None)[:2]
    is_first = first is not None and candidate.specialist_id == first.specialist_id
    rival = second if is_first else first

    with_load = partial(order_with, candidate, wanted=wanted, weights=weights)
    if is_first:
        instead = second and second.specialist_id
        make_change = partial(Change, specialist_id=candidate.specialist_id, instead=instead)
        more = bisect_left(
            range(1, candidate.room), 1, key=lambda n: not _ahead(with_load(n), rival)
        )
        yield make_change(rule="room", by=more + 1)
        yield make_change(rule="presence")
        return
    make_change = partial(
        Change, specialist_id=candidate.specialist_id, instead=candidate.specialist_id
    )
    if candidate.failed in {None, "room"}:
        tickets = range(1, candidate.load + 1)
        fewer = bisect_left(tickets, 1, key=lambda n: _ahead(with_load(-n), rival))
        if fewer < len(tickets):
            yield make_change(rule="room", by=-tickets[fewer])
    if (rule := candidate.failed) not in {None, "room", "pinned"}:
        for by in _missing_amounts(candidate, rule, wanted.needs):
            change = make_change(rule=rule, by=by)
            now = order(evaluate(apply_change(candidate, change, wanted.needs), wanted, weights))
            if _ahead(now, rival):
                yield change


def _ahead(one: Order | None, rival: Order | None) -> bool:
    return one is not None and (rival is None or one < rival)


def _missing_amounts(candidate: Candidate, rule: Rule, needs: Sequence[Need]) -> Sequence[int]:
    """Return by how many levels or skills a candidate misses each need; (0,) for other rules."""
    if rule == "language":
        known = candidate.levels
        gaps = (n.level - known.get(n.language, 0) for n in needs if n.language is not None)
        return sorted({gap for gap in gaps if gap > 0})
    if rule == "skill":
        return sorted({lacks for need in needs if (lacks := _lacks(candidate, need))})
    return (0,)


def _lacks(candidate: Candidate, need: Need) -> int:
    return len({*need.skills} - {*candidate.skills})
