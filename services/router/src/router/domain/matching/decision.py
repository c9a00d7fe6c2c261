"""One decision with its record: the best few and the known in full, of all others a count."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Final, Literal, NamedTuple, Protocol
from uuid import UUID

from router.domain.matching.candidate_index import CandidateIndex
from router.domain.matching.counterfactual import smallest_change
from router.domain.matching.scoring import decided_by, evaluate, rank_candidates
from shared.events import AssignmentExplained, Candidate, Rule, Wanted, Weights

__all__ = ["FULL_MAX", "MatchingRequest", "RosterView", "decide"]

FULL_MAX: Final = 20
"""So many qualified specialists, or so small a roster, are told of in full."""
_BEST: Final = 5
_SET_ASIDE_MAX: Final = 10


class MatchingRequest(NamedTuple):
    """A ticket that looks for somebody; ``aside`` are those whom it is not given to for now."""

    ticket_id: UUID
    wanted: Wanted
    excluded: Collection[str]
    known_by: str | None
    again_at: datetime | None


class RosterView(Protocol):
    """The roster, as far as a decision asks."""

    @property
    def index(self) -> CandidateIndex:
        """Who may get tickets, in order."""

    @property
    def specialists(self) -> Mapping[str, object]:
        """All on the roster, by id."""

    def uncertified(self, wanted: Wanted) -> int:
        """Count who serves the channel and takes no premium tickets."""

    def candidate(self, specialist_id: str, matching_request: MatchingRequest) -> Candidate:
        """Say what is to be known of somebody, for what is asked."""


def decide(
    matching_request: MatchingRequest, roster: RosterView, weights: Weights, now: datetime
) -> AssignmentExplained:
    """Choose, and say why."""
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
    """Name those to tell of in full; the best is among them, for none beyond can be better.

    Affinity alone could lift somebody above the best few, and who knows the account is named.
    """
    if len(roster.specialists) <= FULL_MAX:
        return sorted(roster.specialists)
    channel, needs = matching_request.wanted.channel, matching_request.wanted.needs
    qualified = roster.index.few(channel, needs, FULL_MAX)
    return dict.fromkeys(
        _some(matching_request, roster) if qualified is None else sorted(qualified)
    )


def _some(matching_request: MatchingRequest, roster: RosterView) -> Iterator[str]:
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
    """Count those who are not told of, by the rule that they fail first."""
    if len(candidates) == len(roster.specialists):
        return {}
    wanted = matching_request.wanted
    crowd = roster.index.counts(wanted.channel, wanted.needs)
    uncertified = roster.uncertified(wanted)
    counts: Counter[Rule | Literal["able"]] = Counter(
        {
            "channel": len(roster.specialists) - crowd.serving - uncertified,
            "certified": uncertified,
            "language": crowd.serving - crowd.speaking,
            "skill": crowd.speaking - crowd.qualified,
            "presence": crowd.qualified - crowd.online,
            "shift": crowd.online - crowd.available,
            "room": crowd.available - crowd.able,
            "able": crowd.able,
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
