"""One decision with its record: the best few and the known in full, of all others a count."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Final, Literal, NamedTuple, Protocol
from uuid import UUID

from router.domain.matching.candidate_index import Ranks
from router.domain.matching.counterfactual import smallest_change
from router.domain.matching.scoring import chosen, decided_by, judged
from shared.events import AssignmentExplained, Candidate, Rule, Wanted, Weights

__all__ = ["FULL_MAX", "People", "Question", "decide"]

FULL_MAX: Final = 20
"""So many qualified specialists, or so small a roster, are told of in full."""
_BEST: Final = 5
_SET_ASIDE_MAX: Final = 10


class Question(NamedTuple):
    """A ticket that looks for somebody; ``aside`` are those whom it is not given to for now."""

    ticket_id: UUID
    wanted: Wanted
    aside: Collection[str]
    known_by: str | None
    again_at: datetime | None


class People(Protocol):
    """The roster, as far as a decision asks."""

    @property
    def ranks(self) -> Ranks:
        """Who may get tickets, in order."""

    @property
    def everybody(self) -> Mapping[str, object]:
        """All on the roster, by id."""

    def uncertified(self, wanted: Wanted) -> int:
        """Count who serves the channel and takes no premium tickets."""

    def sketch(self, specialist_id: str, question: Question) -> Candidate:
        """Say what is to be known of somebody, for what is asked."""


def decide(
    question: Question, people: People, weights: Weights, now: datetime
) -> AssignmentExplained:
    """Choose, and say why."""
    wanted = question.wanted
    sketched = (people.sketch(one, question) for one in _in_full(question, people))
    candidates = tuple(judged(one, wanted, weights) for one in sketched)
    ranked = chosen(candidates)
    return AssignmentExplained(
        ticket_id=question.ticket_id,
        decided_at=now,
        specialist_id=ranked[0].specialist_id if ranked else None,
        wanted=wanted,
        weights=weights,
        candidates=candidates,
        others=_others(question, people, candidates),
        decided_by=decided_by(ranked),
        smallest_change=smallest_change(wanted, weights, candidates, ranked),
        again_at=None if ranked else question.again_at,
    )


def _in_full(question: Question, people: People) -> Collection[str]:
    """Name those to tell of in full; the best is among them, for none beyond can be better.

    Affinity alone could lift somebody above the best few, and who knows the account is named.
    """
    if len(people.everybody) <= FULL_MAX:
        return sorted(people.everybody)
    channel, needs = question.wanted.channel, question.wanted.needs
    qualified = people.ranks.few(channel, needs, FULL_MAX)
    return dict.fromkeys(_some(question, people) if qualified is None else sorted(qualified))


def _some(question: Question, people: People) -> Iterator[str]:
    wanted, aside = question.wanted, question.aside
    if wanted.pinned_to is not None:
        yield wanted.pinned_to
    skipped = () if wanted.all_set_aside else aside
    best = people.ranks.able(wanted.channel, wanted.needs, skipped)
    yield from (standing.specialist_id for _, standing in islice(best, _BEST))
    if question.known_by is not None and question.known_by in people.everybody:
        yield question.known_by
    yield from islice(sorted(one for one in aside if one in people.everybody), _SET_ASIDE_MAX)


def _others(
    question: Question, people: People, candidates: Collection[Candidate]
) -> dict[Rule | Literal["able"], int]:
    """Count those who are not told of, by the rule that they fail first."""
    if len(candidates) == len(people.everybody):
        return {}
    wanted = question.wanted
    crowd = people.ranks.counts(wanted.channel, wanted.needs)
    uncertified = people.uncertified(wanted)
    counts: Counter[Rule | Literal["able"]] = Counter(
        {
            "channel": len(people.everybody) - crowd.serving - uncertified,
            "certified": uncertified,
            "language": crowd.serving - crowd.speaking,
            "skill": crowd.speaking - crowd.qualified,
            "presence": crowd.qualified - crowd.online,
            "shift": crowd.online - crowd.there,
            "room": crowd.there - crowd.able,
            "able": crowd.able,
        }
    )
    if not wanted.all_set_aside:
        aside = people.ranks.able_among(wanted.channel, wanted.needs, question.aside)
        counts["able"] -= aside
        counts["set_aside"] = aside
    if wanted.pinned_to is not None:
        able = people.ranks.able_among(wanted.channel, wanted.needs, (wanted.pinned_to,))
        counts["pinned"], counts["able"] = counts["able"] - able, able
    counts.subtract(one.failed or "able" for one in candidates)
    return {rule: count for rule, count in counts.items() if count}
