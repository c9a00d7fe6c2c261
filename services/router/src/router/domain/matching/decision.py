"""Makes one decision and its record, with the most relevant candidates in full."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Final, Literal, NamedTuple, Protocol
from uuid import UUID

from router.domain.matching.candidate_index import CandidateIndex
from router.domain.matching.counterfactual import smallest_change
from router.domain.matching.ranking import decided_by, evaluate, rank_candidates
from shared.events import AssignmentExplained, Candidate, Rule, Wanted, Weights

__all__ = ["FULL_MAX", "MatchingRequest", "RosterView", "decide"]

FULL_MAX: Final = 20
"""Up to this many qualified specialists, or listed ones, are recorded in full."""
_BEST: Final = 5
_SET_ASIDE_MAX: Final = 10


class MatchingRequest(NamedTuple):
    """A ticket that needs a specialist; ``excluded`` are those who are not offered it now."""

    ticket_id: UUID
    wanted: Wanted
    excluded: Collection[str]
    known_by: str | None
    again_at: datetime | None


class RosterView(Protocol):
    """What a decision needs to know of the roster."""

    @property
    def index(self) -> CandidateIndex:
        """The listed and certified specialists, sorted by rank."""

    @property
    def specialists(self) -> Mapping[str, object]:
        """All listed specialists, by id."""

    def uncertified(self, wanted: Wanted) -> int:
        """Count the specialists who serve the channel but are not certified."""

    def candidate(self, specialist_id: str, matching_request: MatchingRequest) -> Candidate:
        """Return the facts about a specialist that matter for a request."""


def decide(
    matching_request: MatchingRequest, roster: RosterView, weights: Weights, now: datetime
) -> AssignmentExplained:
    """Choose the specialist for a request, and record why."""
    wanted = matching_request.wanted
    sketched = (
        roster.candidate(one, matching_request) for one in _in_full(matching_request, roster)
    )
    candidates = tuple(evaluate(one, wanted, weights) for one in sketched)
    ranked = rank_candidates(candidates)
    return AssignmentExplained(
        ticket_id=matching_request.ticket_id,
        decided_at=now,
        specialist_id=ranked[0].specialist_id if ranked else None,
        wanted=wanted,
        weights=weights,
        candidates=candidates,
        others=_others(matching_request, roster, candidates),
        decided_by=decided_by(ranked),
        smallest_change=smallest_change(wanted, weights, candidates, ranked),
        again_at=None if ranked else matching_request.again_at,
    )


def _in_full(matching_request: MatchingRequest, roster: RosterView) -> Collection[str]:
    """Return the ids of the candidates to record in full, the best one among them.

    Only affinity can lift a specialist above the best ranks, so the one with affinity is always
    included.
    """
    if len(roster.specialists) <= FULL_MAX:
        return sorted(roster.specialists)
    channel, needs = matching_request.wanted.channel, matching_request.wanted.needs
    qualified = roster.index.few(channel, needs, FULL_MAX)
    return dict.fromkeys(
        _most_relevant(matching_request, roster) if qualified is None else sorted(qualified)
    )


def _most_relevant(matching_request: MatchingRequest, roster: RosterView) -> Iterator[str]:
    wanted, excluded = matching_request.wanted, matching_request.excluded
    if wanted.pinned_to is not None:
        yield wanted.pinned_to
    skipped = () if wanted.all_set_aside else excluded
    best = roster.index.able(wanted.channel, wanted.needs, skipped)
    yield from (rank.specialist_id for _, rank in islice(best, _BEST))
    if matching_request.known_by is not None and matching_request.known_by in roster.specialists:
        yield matching_request.known_by
    yield from islice(sorted(one for one in excluded if one in roster.specialists), _SET_ASIDE_MAX)


def _others(
    matching_request: MatchingRequest, roster: RosterView, candidates: Collection[Candidate]
) -> dict[Rule | Literal["able"], int]:
    """Count the specialists who are not recorded in full, by the first rule that they fail."""
    if len(candidates) == len(roster.specialists):
        return {}
    wanted = matching_request.wanted
    total = roster.index.counts(wanted.channel, wanted.needs)
    uncertified = roster.uncertified(wanted)
    counts: Counter[Rule | Literal["able"]] = Counter(
        {
            "channel": len(roster.specialists) - total.serving - uncertified,
            "certified": uncertified,
            "language": total.serving - total.speaking,
            "skill": total.speaking - total.qualified,
            "presence": total.qualified - total.online,
            "shift": total.online - total.available,
            "room": total.available - total.able,
            "able": total.able,
        }
    )
    if not wanted.all_set_aside:
        excluded = roster.index.able_among(wanted.channel, wanted.needs, matching_request.excluded)
        counts["able"] -= excluded
        counts["set_aside"] = excluded
    if wanted.pinned_to is not None:
        able = roster.index.able_among(wanted.channel, wanted.needs, (wanted.pinned_to,))
        counts["pinned"], counts["able"] = counts["able"] - able, able
    counts.subtract(one.failed or "able" for one in candidates)
    return {rule: count for rule, count in counts.items() if count}
