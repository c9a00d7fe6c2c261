"""The roster: who serves what, who holds how much, and what a transaction changed of it.

It outlives transactions. What a transaction touches is remembered as it was: given up, it is put
back (`restore`); committed, it is forgotten (`settle`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final, Literal

from sortedcontainers import SortedList

from router.domain.matching import MatchingRequest, MatchingRules, Pool, default_rules
from router.domain.matching.candidate_index import CandidateIndex
from router.domain.specialist import Specialist
from shared.events import Candidate, Need, QueueReason, Wanted
from shared.sla.promises import Channel

__all__ = ["Roster", "WaitReason"]

_TURNING_ROOM_MAX: Final = 500

type WaitReason = QueueReason | Literal["pinned", "set_aside"]
"""Why a ticket waits; `set_aside`: who could take it declined it, or let it ring, but not all."""
type _Due = tuple[datetime, str]
type _Signature = tuple[frozenset[Channel], tuple[tuple[str, int], ...], tuple[str, ...]]


class Roster:
    """Everybody, found by id, by what they serve, and by when time changes how they stand."""

    def __init__(
        self, specialists: Iterable[Specialist], rules: MatchingRules | None = None
    ) -> None:
        self.rules = rules or default_rules()
        self.index = CandidateIndex(self.rules.weights)
        self._by_id: dict[str, Specialist] = {}
        self._here: dict[str, Specialist] = {}
        self._due: SortedList[_Due] = SortedList()
        self._uncertified: Counter[Channel] = Counter()
        self._pools: set[Pool] = set()
        self._new_pools: set[Pool] = set()
        self._needs: dict[Pool, tuple[Need, ...]] = {}
        self._pools_of: dict[_Signature, tuple[Pool, ...]] = {}
        self._seen_turns = 0
        self._before: dict[str, Specialist | None] = {}
        for specialist in specialists:
            self._put(specialist)

    @property
    def specialists(self) -> Mapping[str, Specialist]:
        """All who are on the roster, by id."""
        return self._here

    def get(self, specialist_id: str) -> Specialist | None:
        """Find somebody, removed or not."""
        return self._by_id.get(specialist_id)

    def can_take(self, specialist_id: str, channel: Channel) -> bool:
        """Tell whether somebody may be given a ticket: there, with room, and to be heard of."""
        one = self._by_id[specialist_id]
        return one.can_take(channel) and self.index.is_reachable(one, channel)

    def due(self, now: datetime) -> list[Specialist]:
        """Find those whose shift has begun or ended by now, or whose word has lapsed."""
        due = self._due.irange(None, (now, chr(0x10FFFF)))
        return [self._by_id[specialist_id] for _, specialist_id in due]

    def due_batch(self, now: datetime) -> list[Specialist]:
        """Find those of them whose turn it is in one transaction: a morning may begin for all.

        The others stand as before until the sweep looks again, which it does at once.
        """
        due_batch: list[Specialist] = []
        room = 0
        for specialist in self.due(now):
            if room >= _TURNING_ROOM_MAX:
                break
            due_batch.append(specialist)
            room += sum(specialist.capacity.values())
        return due_batch

    def put(self, specialist: Specialist) -> None:
        """Add somebody, or replace what was known of them."""
        known = self._by_id.get(specialist.specialist_id)
        self._before.setdefault(specialist.specialist_id, known)
        self._put(specialist)

    def change(self, specialist: Specialist) -> "Specialist":
        """Say that somebody's facts are about to change; `put` or `rank` them when they have."""
        if specialist.specialist_id not in self._before:
            self._before[specialist.specialist_id] = specialist.copy()
        return specialist

    def rank(self, specialist: Specialist) -> None:
        """Put somebody in the place that their load gives them now."""
        self.index.rank(specialist.specialist_id)

    def extend_presence(self, presence_until: Mapping[str, datetime]) -> None:
        """Take in until when words hold that were said again: that disturbs nobody, so untold."""
        for specialist_id, until in presence_until.items():
            specialist = self._by_id[specialist_id]
            self._forget_due(specialist)
            specialist.presence_until = until
            self._note_due(specialist)

    def roll_back(self) -> None:
        """Put back what was touched since it was last settled."""
        before, self._before = self._before, {}
        if self._new_pools:
            self._pools -= self._new_pools
            self._new_pools = set()
            self._pools_of.clear()
        for specialist_id, specialist in before.items():
            if specialist is not None:
                self._put(specialist)
            else:
                self._forget(specialist_id)
                self.index.remove(specialist_id)

    def commit(self) -> None:
        """Take what was touched for what is."""
        self._before = {}
        self._new_pools = set()

    def refresh(self, specialists: Iterable[Specialist]) -> None:
        """Take in what another router changed."""
        for specialist in specialists:
            self._put(specialist)

    def add_pools(self, pools: Iterable[Pool]) -> None:
        """Remember where somebody waits, by what others say."""
        for pool in {*pools} - self._pools:
            self._pools.add(pool)
            self._pools_of.clear()

    def is_new(self, pool: Pool) -> bool:
        """Tell whether nobody was ever known to wait there before what is not settled yet."""
        if pool in self._pools:
            return pool in self._new_pools
        self.add_pools((pool,))
        self._new_pools.add(pool)
        return True

    @property
    def pools(self) -> frozenset[Pool]:
        """Every pool in which anybody was ever known to wait."""
        return frozenset(self._pools)

    @property
    def new_pools(self) -> frozenset[Pool]:
        """Those of which others are to be told."""
        return frozenset(self._new_pools)

    def pools_of(self, specialist: Specialist) -> tuple[Pool, ...]:
        """Find the pools that somebody can take tickets from."""
        self._notice_turns()
        speaks, skills = specialist.speaks, {*specialist.skills}
        signature = (
            frozenset(specialist.serves),
            tuple(sorted(speaks.items())),
            tuple(sorted(skills)),
        )
        found = self._pools_of.get(signature)
        if found is None:
            found = self._pools_of[signature] = tuple(
                sorted(
                    pool
                    for pool in self._pools
                    if pool.channel in signature[0]
                    and any(_meets(need, speaks, skills) for need in self.needs(pool))
                )
            )
        return found

    def needs(self, pool: Pool) -> tuple[Need, ...]:
        """List what is enough for a pool, from what was asked to the last step that has come due.

        What nobody on the roster could ever meet is not waited for: a language that nobody serves
        is at the next step at once, though never at the one that takes anybody.
        """
        self._notice_turns()
        needs = self._needs.get(pool)
        if needs is None:
            every = self.rules.all_needs(pool.channel, pool.language, pool.skills)
            named = [step for step, need in enumerate(every) if need.language is not None]
            met = (step for step in named if self.index.meets(pool.channel, every[step]))
            step = max(pool.step, next(met, 0))
            needs = self._needs[pool] = every[: step + 1]
        return needs

    def qualifies(self, specialist_id: str, pool: Pool) -> bool:
        """Tell whether somebody, present or not, is good enough for a pool."""
        return self.index.qualifies(specialist_id, pool.channel, self.needs(pool))

    def uncertified(self, wanted: Wanted) -> int:
        """Count who serves the channel and takes no premium tickets."""
        return self._uncertified[wanted.channel]

    def why_unassignable(self, pool: Pool) -> QueueReason:
        """Say what stands in the way of a ticket that nobody can take now."""
        counts = self.index.counts(pool.channel, self.needs(pool))
        if not counts.qualified:
            return "no_skill"
        return "no_capacity" if counts.available else "no_shift"

    def why_waiting(self, pool: Pool) -> WaitReason:
        """Say what stands in the way of those who wait, as it is now."""
        able = self.index.counts(pool.channel, self.needs(pool)).able
        return "set_aside" if able else self.why_unassignable(pool)

    def candidate(self, specialist_id: str, matching_request: MatchingRequest) -> Candidate:
        """Say what is to be known of somebody, for what is asked."""
        person, wanted = self._by_id[specialist_id], matching_request.wanted
        channel = wanted.channel
        speaks = person.speaks
        languages = {need.language for need in wanted.needs} | {wanted.language}
        asked = {skill for need in wanted.needs for skill in need.skills}
        shared = person.universal is not None
        return Candidate(
            specialist_id=specialist_id,
            capacity=person.capacity.get(channel, 0),
            load=person.load.get(channel, 0),
            scarcity=self.index.scarcity(specialist_id),
            levels={one: level for one, level in speaks.items() if one in languages},
            skills=tuple(sorted(asked & {*person.skills})),
            certified=person.certified,
            presence=person.effective_presence,
            unheard=not self.index.is_reachable(person, channel),
            on_shift=person.on_shift,
            universal=person.universal,
            held=person.held if shared else 0,
            weight=person.weights.get(channel, 1) if shared else 1,
            knows=specialist_id == matching_request.known_by,
            set_aside=specialist_id in matching_request.excluded,
            last_at=person.last_at.get(channel),
        )

    def _put(self, specialist: Specialist) -> None:
        self._forget(specialist.specialist_id)
        self._by_id[specialist.specialist_id] = specialist
        self._note_due(specialist)
        if not specialist.removed:
            self._here[specialist.specialist_id] = specialist
            if not specialist.certified:
                self._uncertified.update(_served(specialist))
        if specialist.removed or not specialist.certified:
            self.index.remove(specialist.specialist_id)
        else:
            self.index.put(specialist)

    def _forget(self, specialist_id: str) -> None:
        known = self._by_id.pop(specialist_id, None)
        if known is None:
            return
        self._forget_due(known)
        if self._here.pop(specialist_id, None) is not None and not known.certified:
            self._uncertified.subtract(_served(known))

    def _note_due(self, specialist: Specialist) -> None:
        if specialist.wakes_at is not None:
            self._due.add((specialist.wakes_at, specialist.specialist_id))

    def _forget_due(self, specialist: Specialist) -> None:
        if specialist.wakes_at is not None:
            self._due.remove((specialist.wakes_at, specialist.specialist_id))

    def _notice_turns(self) -> None:
        if self._seen_turns != self.index.turns:
            self._seen_turns = self.index.turns
            self._needs.clear()
            self._pools_of.clear()


def _meets(need: Need, speaks: Mapping[str, int], skills: set[str]) -> bool:
    if need.language is not None and speaks.get(need.language, 0) < need.level:
        return False
    return skills.issuperset(need.skills)


def _served(specialist: Specialist) -> Iterator[Channel]:
    return (channel for channel, most in specialist.capacity.items() if most > 0)
