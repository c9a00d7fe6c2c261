"""The roster in memory: specialists, their load, and the pools they can take tickets from.

It outlives transactions. The first change of a specialist in a transaction keeps a copy:
`roll_back` restores the copies, `commit` drops them.
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

_BATCH_ROOM_MAX: Final = 500

type WaitReason = QueueReason | Literal["pinned", "set_aside"]
"""Why a ticket waits; `set_aside`: all available specialists with room are excluded from it."""
type _Due = tuple[datetime, str]
type _Signature = tuple[frozenset[Channel], tuple[tuple[str, int], ...], tuple[str, ...]]


class Roster:
    """All specialists, by id, by what they serve, and by when their availability changes."""

    def __init__(
        self, specialists: Iterable[Specialist], rules: MatchingRules | None = None
    ) -> None:
        self.rules = rules or default_rules()
        self.index = CandidateIndex(self.rules.weights)
        self._by_id: dict[str, Specialist] = {}
        self._listed: dict[str, Specialist] = {}
        self._due: SortedList[_Due] = SortedList()
        self._uncertified: Counter[Channel] = Counter()
        self._pools: set[Pool] = set()
        self._new_pools: set[Pool] = set()
        self._needs: dict[Pool, tuple[Need, ...]] = {}
        self._pools_of: dict[_Signature, tuple[Pool, ...]] = {}
        self._index_version = 0
        self._before: dict[str, Specialist | None] = {}
        for specialist in specialists:
            self._put(specialist)

    @property
    def specialists(self) -> Mapping[str, Specialist]:
        """The listed specialists by id, without removed ones."""
        return self._listed

    def get(self, specialist_id: str) -> Specialist | None:
        """Return a specialist, listed or removed."""
        return self._by_id.get(specialist_id)

    def can_take(self, specialist_id: str, channel: Channel) -> bool:
        """Return whether a specialist is available, has room and is reachable on a channel."""
        one = self._by_id[specialist_id]
        return one.can_take(channel) and self.index.is_reachable(one, channel)

    def due(self, now: datetime) -> list[Specialist]:
        """Return the specialists whose shift changed or whose presence lapsed by ``now``."""
        due = self._due.irange(None, (now, chr(0x10FFFF)))
        return [self._by_id[specialist_id] for _, specialist_id in due]

    def due_batch(self, now: datetime) -> list[Specialist]:
        """Return as many of the `due` specialists as one transaction may process.

        At the start of a working day all may be due; the sweep processes the others at once.
        """
        due_batch: list[Specialist] = []
        room = 0
        for specialist in self.due(now):
            if room >= _BATCH_ROOM_MAX:
                break
            due_batch.append(specialist)
            room += sum(specialist.capacity.values())
        return due_batch

    def put(self, specialist: Specialist) -> None:
        """Add or replace a specialist."""
        known = self._by_id.get(specialist.specialist_id)
        self._before.setdefault(specialist.specialist_id, known)
        self._put(specialist)

    def begin_change(self, specialist: Specialist) -> "Specialist":
        """Keep a copy for `roll_back` of a specialist who will change; return the specialist."""
        if specialist.specialist_id not in self._before:
            self._before[specialist.specialist_id] = specialist.copy()
        return specialist

    def update_rank(self, specialist: Specialist) -> None:
        """Update a specialist's rank after a change of load."""
        self.index.update_rank(specialist.specialist_id)

    def extend_presence(self, presence_until: Mapping[str, datetime]) -> None:
        """Store later ends of reported presences; nothing else about these specialists changes."""
        for specialist_id, until in presence_until.items():
            specialist = self._by_id[specialist_id]
            self._remove_due(specialist)
            specialist.presence_until = until
            self._add_due(specialist)

    def roll_back(self) -> None:
        """Undo all changes since the last `commit`."""
        before, self._before = self._before, {}
        if self._new_pools:
            self._pools -= self._new_pools
            self._new_pools = set()
            self._pools_of.clear()
        for specialist_id, specialist in before.items():
            if specialist is not None:
                self._put(specialist)
            else:
                self._remove(specialist_id)
                self.index.remove(specialist_id)

    def commit(self) -> None:
        """Keep all changes since the last `commit`."""
        self._before = {}
        self._new_pools = set()

    def refresh(self, specialists: Iterable[Specialist]) -> None:
        """Replace specialists whom another router has changed."""
        for specialist in specialists:
            self._put(specialist)

    def add_pools(self, pools: Iterable[Pool]) -> None:
        """Add pools in which other routers have queued tickets."""
        for pool in {*pools} - self._pools:
            self._pools.add(pool)
            self._pools_of.clear()

    def is_new(self, pool: Pool) -> bool:
        """Return whether no ticket waited in a pool before this transaction; add the pool if so."""
        if pool in self._pools:
            return pool in self._new_pools
        self.add_pools((pool,))
        self._new_pools.add(pool)
        return True

    @property
    def pools(self) -> frozenset[Pool]:
        """Every pool in which a ticket has ever waited."""
        return frozenset(self._pools)

    @property
    def new_pools(self) -> frozenset[Pool]:
        """The pools that this transaction has added, which other routers do not know yet."""
        return frozenset(self._new_pools)

    def pools_of(self, specialist: Specialist) -> tuple[Pool, ...]:
        """Return the pools from which a specialist can take tickets."""
        self._drop_stale_caches()
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
        """Return needs of which one suffices for a pool: the full need, then those of due steps.

        If no listed specialist meets the full need, steps apply at once up to the first that one
        meets, except the step that admits any specialist.
        """
        self._drop_stale_caches()
        needs = self._needs.get(pool)
        if needs is None:
            every = self.rules.all_needs(pool.channel, pool.language, pool.skills)
            named = [step for step, need in enumerate(every) if need.language is not None]
            met = (step for step in named if self.index.meets(pool.channel, every[step]))
            step = max(pool.step, next(met, 0))
            needs = self._needs[pool] = every[: step + 1]
        return needs

    def qualifies(self, specialist_id: str, pool: Pool) -> bool:
        """Return whether a specialist, available or not, is qualified for a pool."""
        return self.index.qualifies(specialist_id, pool.channel, self.needs(pool))

    def uncertified(self, wanted: Wanted) -> int:
        """Count the specialists who serve the channel but are not certified."""
        return self._uncertified[wanted.channel]

    def why_unassignable(self, pool: Pool) -> QueueReason:
        """Return why no specialist can take a ticket of a pool now."""
        counts = self.index.counts(pool.channel, self.needs(pool))
        if not counts.qualified:
            return "no_skill"
        return "no_capacity" if counts.available else "no_shift"

    def why_waiting(self, pool: Pool) -> WaitReason:
        """Return why the tickets of a pool wait, as of now."""
        able = self.index.counts(pool.channel, self.needs(pool)).able
        return "set_aside" if able else self.why_unassignable(pool)

    def candidate(self, specialist_id: str, matching_request: MatchingRequest) -> Candidate:
        """Return the facts about a specialist that matter for a request."""
        specialist, wanted = self._by_id[specialist_id], matching_request.wanted
        channel = wanted.channel
        speaks = specialist.speaks
        languages = {need.language for need in wanted.needs} | {wanted.language}
        asked = {skill for need in wanted.needs for skill in need.skills}
        shared = specialist.universal is not None
        return Candidate(
            specialist_id=specialist_id,
            capacity=specialist.capacity.get(channel, 0),
            load=specialist.load.get(channel, 0),
            scarcity=self.index.scarcity(specialist_id),
            levels={one: level for one, level in speaks.items() if one in languages},
            skills=tuple(sorted(asked & {*specialist.skills})),
            certified=specialist.certified,
            presence=specialist.effective_presence,
            unheard=not self.index.is_reachable(specialist, channel),
            on_shift=specialist.on_shift,
            universal=specialist.universal,
            held=specialist.weighted_load if shared else 0,
            weight=specialist.weights.get(channel, 1) if shared else 1,
            knows=specialist_id == matching_request.known_by,
            set_aside=specialist_id in matching_request.excluded,
            last_at=specialist.last_at.get(channel),
        )

    def _put(self, specialist: Specialist) -> None:
        self._remove(specialist.specialist_id)
        self._by_id[specialist.specialist_id] = specialist
        self._add_due(specialist)
        if not specialist.removed:
            self._listed[specialist.specialist_id] = specialist
            if not specialist.certified:
                self._uncertified.update(_served(specialist))
        if specialist.removed or not specialist.certified:
            self.index.remove(specialist.specialist_id)
        else:
            self.index.put(specialist)

    def _remove(self, specialist_id: str) -> None:
        known = self._by_id.pop(specialist_id, None)
        if known is None:
            return
        self._remove_due(known)
        if self._listed.pop(specialist_id, None) is not None and not known.certified:
            self._uncertified.subtract(_served(known))

    def _add_due(self, specialist: Specialist) -> None:
        if specialist.wakes_at is not None:
            self._due.add((specialist.wakes_at, specialist.specialist_id))

    def _remove_due(self, specialist: Specialist) -> None:
        if specialist.wakes_at is not None:
            self._due.remove((specialist.wakes_at, specialist.specialist_id))

    def _drop_stale_caches(self) -> None:
        if self._index_version != self.index.version:
            self._index_version = self.index.version
            self._needs.clear()
            self._pools_of.clear()


def _meets(need: Need, speaks: Mapping[str, int], skills: set[str]) -> bool:
    if need.language is not None and speaks.get(need.language, 0) < need.level:
        return False
    return skills.issuperset(need.skills)


def _served(specialist: Specialist) -> Iterator[Channel]:
    return (channel for channel, most in specialist.capacity.items() if most > 0)
