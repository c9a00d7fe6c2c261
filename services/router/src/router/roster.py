"""The roster: who serves what, who holds how much, and what a transaction changed of it.

It outlives transactions. What a transaction touches is remembered as it was: given up, it is put
back (`restore`); committed, it is forgotten (`settle`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sortedcontainers import SortedList

from router.matching import Pool, Question, Rules, Standing, default_rules
from router.matching.judge import idle_since, load_share, score
from router.matching.ranks import Ranks
from router.ticket import base
from shared.events import (
    Candidate,
    Need,
    Presence,
    QueueReason,
    SpecialistListed,
    Wanted,
    Weights,
)
from shared.promises import Channel
from shared.rosters import HIGHEST, Shifts, turn

__all__ = ["CHANNELS", "Roster", "Specialist", "left", "listed"]

CHANNELS: Final[tuple[Channel, ...]] = ("email", "phone", "chat")

type _Turn = tuple[datetime, str]
type _Signature = tuple[frozenset[Channel], tuple[tuple[str, int], ...], tuple[str, ...]]


@dataclass(slots=True)
class Specialist:
    """One person: what the roster says of them, and how many tickets they hold a channel."""

    specialist_id: str
    name: str
    languages: tuple[str, ...]
    presence: Presence
    listed_at: datetime
    removed: bool = False
    capacity: dict[Channel, int] = field(default_factory=dict)
    load: dict[Channel, int] = field(default_factory=dict)
    last_at: dict[Channel, datetime] = field(default_factory=dict)
    """When they were last given a ticket of a channel."""
    levels: dict[str, int] = field(default_factory=dict)
    skills: tuple[str, ...] = ()
    team: str | None = None
    certified: bool = True
    universal: int | None = None
    """What they can hold on all channels together, each ticket as heavy as its channel weighs."""
    weights: dict[Channel, int] = field(default_factory=dict)
    shifts: Shifts | None = None
    """Known only of who was just listed, or whose shift turns: nobody else is asked."""
    on_shift: bool = True
    turns_at: datetime | None = None
    """Until then ``on_shift`` holds; None for who works whenever online."""
    speaks: dict[str, int] = field(init=False)
    """The best level of each language, whatever the region."""

    def __post_init__(self) -> None:
        self.speaks = {}
        for tag in self.languages:
            level = self.levels.get(tag, HIGHEST)
            self.speaks[base(tag)] = max(level, self.speaks.get(base(tag), 0))

    @property
    def online(self) -> bool:
        """Present, on shift or not."""
        return self.presence == "online"

    @property
    def there(self) -> bool:
        """Online, and on shift."""
        return self.online and self.on_shift

    @property
    def serves(self) -> Mapping[Channel, int]:
        """The channels that they take premium tickets of, with the capacity of each."""
        if not self.certified:
            return {}
        return {channel: most for channel, most in self.capacity.items() if most > 0}

    @property
    def held(self) -> int:
        """Weigh all that they hold."""
        return sum(load * self.weights.get(on, 1) for on, load in self.load.items())

    def room(self, channel: Channel) -> int:
        """Count the tickets they could take more; below zero when the roster shrank."""
        room = self.capacity.get(channel, 0) - self.load.get(channel, 0)
        if self.universal is None:
            return room
        return min(room, (self.universal - self.held) // self.weights.get(channel, 1))

    def can_take(self, channel: Channel) -> bool:
        """There, with room."""
        return self.there and self.room(channel) > 0

    def standing(self, channel: Channel, scarcity: int, weights: Weights) -> Standing:
        """Rank on a channel, the lowest first, but for whom they know."""
        share = load_share(
            capacity=self.capacity.get(channel, 0),
            load=self.load.get(channel, 0),
            universal=self.universal,
            held=0 if self.universal is None else self.held,
        )
        total = score(scarcity=scarcity, load=share, knows=False, weights=weights)
        return Standing(total, idle_since(self.last_at.get(channel)), self.specialist_id)

    def turn(self, now: datetime) -> None:
        """Find out whether they are on shift, and until when."""
        if self.shifts is not None:
            self.on_shift, self.turns_at = turn(self.shifts, now)

    def copy(self) -> "Specialist":
        """Keep them as they are."""
        return replace(
            self, capacity={**self.capacity}, load={**self.load}, last_at={**self.last_at}
        )


def listed(event: SpecialistListed, listed_at: datetime) -> Specialist:
    """Make somebody of what the roster says of them."""
    return Specialist(
        specialist_id=event.specialist_id,
        name=event.name,
        languages=event.languages,
        presence=event.presence,
        listed_at=listed_at,
        capacity={channel: event.capacity.get(channel, 0) for channel in CHANNELS},
        levels={language: event.level(language) for language in event.languages},
        skills=event.skills,
        team=event.team,
        certified=event.certified,
        universal=None if event.universal is None else event.universal.capacity,
        weights={} if event.universal is None else event.universal.weights,
        shifts=event.shifts,
    )


def left(specialist_id: str, removed_at: datetime) -> Specialist:
    """Make what remains of who left the roster."""
    return Specialist(
        specialist_id=specialist_id,
        name=specialist_id,
        languages=(),
        presence="offline",
        listed_at=removed_at,
        removed=True,
        capacity=dict.fromkeys(CHANNELS, 0),
    )


class Roster:
    """Everybody, found by id, by what they serve, and by when their shift turns."""

    def __init__(self, specialists: Iterable[Specialist], rules: Rules | None = None) -> None:
        self.rules = rules or default_rules()
        self.ranks = Ranks(self.rules.weights)
        self._by_id: dict[str, Specialist] = {}
        self._here: dict[str, Specialist] = {}
        self._turns: SortedList[_Turn] = SortedList()
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
    def everybody(self) -> Mapping[str, Specialist]:
        """All who are on the roster, by id."""
        return self._here

    def get(self, specialist_id: str) -> Specialist | None:
        """Find somebody, removed or not."""
        return self._by_id.get(specialist_id)

    def due(self, now: datetime) -> list[Specialist]:
        """Find those whose shift has begun or ended by now."""
        due = self._turns.irange(None, (now, chr(0x10FFFF)))
        return [self._by_id[specialist_id] for _, specialist_id in due]

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
        self.ranks.rank(specialist.specialist_id)

    def restore(self) -> None:
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
                self.ranks.remove(specialist_id)

    def settle(self) -> None:
        """Take what was touched for what is."""
        self._before = {}
        self._new_pools = set()

    def refresh(self, specialists: Iterable[Specialist]) -> None:
        """Take in what another router changed."""
        for specialist in specialists:
            self._put(specialist)

    def know_pools(self, pools: Iterable[Pool]) -> None:
        """Remember where somebody waits, by what others say."""
        for pool in {*pools} - self._pools:
            self._pools.add(pool)
            self._pools_of.clear()

    def is_new(self, pool: Pool) -> bool:
        """Tell whether nobody was ever known to wait there before what is not settled yet."""
        if pool in self._pools:
            return pool in self._new_pools
        self.know_pools((pool,))
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
            met = (step for step in named if self.ranks.meets(pool.channel, every[step]))
            step = max(pool.step, next(met, 0))
            needs = self._needs[pool] = every[: step + 1]
        return needs

    def uncertified(self, wanted: Wanted) -> int:
        """Count who serves the channel and takes no premium tickets."""
        return self._uncertified[wanted.channel]

    def why_nobody(self, pool: Pool) -> QueueReason:
        """Say what stands in the way of a ticket that nobody can take now."""
        counts = self.ranks.counts(pool.channel, self.needs(pool))
        if not counts.qualified:
            return "no_skill"
        return "no_capacity" if counts.there else "no_shift"

    def sketch(self, specialist_id: str, question: Question) -> Candidate:
        """Say what is to be known of somebody, for what is asked."""
        person, wanted = self._by_id[specialist_id], question.wanted
        channel = wanted.channel
        speaks = person.speaks
        languages = {need.language for need in wanted.needs} | {wanted.language}
        asked = {skill for need in wanted.needs for skill in need.skills}
        shared = person.universal is not None
        return Candidate(
            specialist_id=specialist_id,
            capacity=person.capacity.get(channel, 0),
            load=person.load.get(channel, 0),
            scarcity=self.ranks.scarcity(specialist_id),
            levels={one: level for one, level in speaks.items() if one in languages},
            skills=tuple(sorted(asked & {*person.skills})),
            certified=person.certified,
            presence=person.presence,
            on_shift=person.on_shift,
            universal=person.universal,
            held=person.held if shared else 0,
            weight=person.weights.get(channel, 1) if shared else 1,
            knows=specialist_id == question.known_by,
            set_aside=specialist_id in question.aside,
            last_at=person.last_at.get(channel),
        )

    def _put(self, specialist: Specialist) -> None:
        self._forget(specialist.specialist_id)
        self._by_id[specialist.specialist_id] = specialist
        if specialist.turns_at is not None:
            self._turns.add((specialist.turns_at, specialist.specialist_id))
        if not specialist.removed:
            self._here[specialist.specialist_id] = specialist
            if not specialist.certified:
                self._uncertified.update(_served(specialist))
        if specialist.removed or not specialist.certified:
            self.ranks.remove(specialist.specialist_id)
        else:
            self.ranks.put(specialist)

    def _forget(self, specialist_id: str) -> None:
        known = self._by_id.pop(specialist_id, None)
        if known is None:
            return
        if known.turns_at is not None:
            self._turns.remove((known.turns_at, specialist_id))
        if self._here.pop(specialist_id, None) is not None and not known.certified:
            self._uncertified.subtract(_served(known))

    def _notice_turns(self) -> None:
        if self._seen_turns != self.ranks.turns:
            self._seen_turns = self.ranks.turns
            self._needs.clear()
            self._pools_of.clear()


def _meets(need: Need, speaks: Mapping[str, int], skills: set[str]) -> bool:
    if need.language is not None and speaks.get(need.language, 0) < need.level:
        return False
    return skills.issuperset(need.skills)


def _served(specialist: Specialist) -> Iterator[Channel]:
    return (channel for channel, most in specialist.capacity.items() if most > 0)
