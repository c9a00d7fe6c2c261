"""Who could take what, in order: structures that no choice has to walk through.

A specialist stands in a group for each channel and language that they serve, with those of the
same level and skills, and in one for each channel with everybody. What is asked for is met by some
groups as wholes; those of them who have room are kept in the order in which they would be chosen.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from heapq import merge
from typing import Final, NamedTuple, Protocol

from sortedcontainers import SortedList

from shared.events import Need, Weights
from shared.rosters import HIGHEST
from shared.sla.promises import Channel

__all__ = ["CandidateIndex", "Counts", "Member", "Rank"]

_ANY: Final = ""
_RARE_MAX: Final = 64
"""Of so many who can do a thing, none is scarce."""
_THOUSAND: Final = 1000

type Ability = tuple[str, str]
"""A channel and a language, or a skill."""


class Rank(NamedTuple):
    """How somebody ranks on a channel, the lowest first: the score but for affinity, and ties."""

    score: int
    idle_since: float
    specialist_id: str


class Member(Protocol):
    """Somebody who can be ranked."""

    @property
    def specialist_id(self) -> str:
        """Who."""

    @property
    def is_reachable(self) -> bool:
        """An offer would be heard."""

    @property
    def online(self) -> bool:
        """Present."""

    @property
    def available(self) -> bool:
        """Present, and on shift."""

    @property
    def serves(self) -> Mapping[Channel, int]:
        """The channels that they take premium tickets of, with the capacity of each."""

    @property
    def speaks(self) -> Mapping[str, int]:
        """The level of each language, without regions."""

    @property
    def skills(self) -> Sequence[str]:
        """What else they can do."""

    def can_take(self, channel: Channel) -> bool:
        """There, with room."""

    def rank(self, channel: Channel, scarcity: int, weights: Weights) -> Rank:
        """Rank on a channel."""


class _Group:
    """Those of one channel, language, level and skills."""

    __slots__ = ("able", "available", "language", "level", "listed", "online", "skills")

    def __init__(self, language: str, level: int, skills: frozenset[str]) -> None:
        self.language = language
        self.level = level
        self.skills = skills
        self.listed: set[str] = set()
        self.online = 0
        self.available = 0
        self.able: SortedList[Rank] = SortedList()


class Counts(NamedTuple):
    """How many there are: of the channel, of the language, with all skills, present, with room."""

    serving: int
    speaking: int
    qualified: int
    online: int
    available: int
    able: int


@dataclass(slots=True)
class _Place:
    """Where somebody stands, and as what they were counted there."""

    groups: Mapping[Channel, Sequence[_Group]]
    abilities: Sequence[Ability]
    online: frozenset[Channel] = frozenset()
    available: frozenset[Channel] = frozenset()
    """The channels on which they count as present; and as on shift, too."""
    standings: dict[Channel, Rank] = field(default_factory=dict)


class CandidateIndex:
    """Everybody who may get tickets, ranked a channel."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._members: dict[str, Member] = {}
        self._places: dict[str, _Place] = {}
        self._groups: defaultdict[Channel, dict[tuple[str, int, frozenset[str]], _Group]] = (
            defaultdict(dict)
        )
        self._met: dict[tuple[Channel, Need], tuple[_Group, ...]] = {}
        self._unions: dict[tuple[Channel, tuple[Need, ...]], tuple[_Group, ...]] = {}
        self._able: defaultdict[Channel, set[str]] = defaultdict(set)
        self._online: defaultdict[Channel, set[str]] = defaultdict(set)
        self._there: defaultdict[Channel, set[str]] = defaultdict(set)
        self._rings: frozenset[Channel] = frozenset()
        self._there_with: defaultdict[Ability, set[str]] = defaultdict(set)
        self.turns = 0
        """How often a group was emptied or filled: what can be met at all may be different."""

    def ring_on(self, channels: frozenset[Channel]) -> None:
        """Say on which channels tickets ring: there only those count who would hear it."""
        if channels != self._rings:
            self._rings = channels
            for member in (*self._members.values(),):
                self.put(member)

    def is_reachable(self, member: Member, channel: Channel) -> bool:
        """Tell whether somebody who is present counts as present on a channel."""
        return member.is_reachable or channel not in self._rings

    def put(self, member: Member) -> None:
        """Add somebody, or rank them anew."""
        specialist_id = member.specialist_id
        groups = {channel: self._groups_of(member, channel) for channel in member.serves}
        place = self._places.get(specialist_id)
        if place is None or place.groups != groups:
            self.remove(specialist_id)
            place = self._places[specialist_id] = _Place(groups, _abilities(member))
            for group in _all(place):
                self.turns += not group.listed
                group.listed.add(specialist_id)
        self._members[specialist_id] = member
        here = frozenset(channel for channel in groups if self.is_reachable(member, channel))
        nowhere = frozenset[Channel]()
        online, available = (
            here if member.online else nowhere,
            here if member.available else nowhere,
        )
        self._show(specialist_id, place, online=online, available=available)
        self.rank(specialist_id)

    def remove(self, specialist_id: str) -> None:
        """Forget somebody."""
        place = self._places.pop(specialist_id, None)
        if place is None:
            return
        del self._members[specialist_id]
        for channel in place.groups:
            self._take_out(specialist_id, channel, place)
        for group in _all(place):
            group.listed.discard(specialist_id)
            self.turns += not group.listed
        self._show(specialist_id, place, online=frozenset(), available=frozenset())

    def rank(self, specialist_id: str) -> None:
        """Put somebody into the place that their load gives them now."""
        member, place = self._members.get(specialist_id), self._places.get(specialist_id)
        if member is None or place is None:
            return
        scarcity = self.scarcity(specialist_id)
        for channel, groups in place.groups.items():
            new = (
                member.rank(channel, scarcity, self._weights)
                if member.can_take(channel) and self.is_reachable(member, channel)
                else None
            )
            if new == place.standings.get(channel):
                continue
            self._take_out(specialist_id, channel, place)
            if new is not None:
                place.standings[channel] = new
                self._able[channel].add(specialist_id)
                for group in groups:
                    group.able.add(new)

    def scarcity(self, specialist_id: str) -> int:
        """Add up how rare is each thing that somebody can do, in thousandths.

        One of 1 who is there counts 1000, one of 2 or 3 half of that, one of 4 to 7 a quarter.
        """
        place = self._places.get(specialist_id)
        return sum(_rarity(len(self._there_with[one])) for one in place.abilities) if place else 0

    def able(
        self, channel: Channel, needs: Iterable[Need], excluded: Collection[str]
    ) -> Iterator[tuple[int, Rank]]:
        """Walk through those who could take a ticket, best first, with the step they qualify at."""
        seen: set[str] = set()
        for step, need in enumerate(needs):
            ranked = [group.able for group in self._meeting(channel, need) if group.able]
            for rank in merge(*ranked) if len(ranked) > 1 else iter(*ranked or [()]):
                if rank.specialist_id not in seen and rank.specialist_id not in excluded:
                    seen.add(rank.specialist_id)
                    yield step, rank

    def few(self, channel: Channel, needs: tuple[Need, ...], most: int) -> set[str] | None:
        """Find all who qualify, present or not; None when they are more than ``most``."""
        groups = self._union(channel, needs)
        if any(len(group.listed) > most for group in groups):
            return None
        found = set[str]().union(*(group.listed for group in groups))
        return found if len(found) <= most else None

    def able_among(self, channel: Channel, needs: tuple[Need, ...], some: Iterable[str]) -> int:
        """Count those of some who could take a ticket."""
        able = [one for one in some if one in self._able[channel]]
        groups = self._union(channel, needs) if able else ()
        return sum(any(one in group.listed for group in groups) for one in able)

    def all_qualified_in(
        self, channel: Channel, needs: tuple[Need, ...], some: Collection[str]
    ) -> bool:
        """Tell whether nobody qualifies but some, who are few."""
        groups = self._union(channel, needs)
        if any(len(group.listed) > len(some) for group in groups):
            return False
        return all(group.listed.issubset(some) for group in groups)

    def all_available_in(
        self, channel: Channel, needs: tuple[Need, ...], some: Collection[str]
    ) -> bool:
        """Tell whether of those who qualify nobody is there but some."""
        available = self._there[channel].intersection(some)
        return all(
            group.available == len(group.listed.intersection(available))
            for group in self._union(channel, needs)
        )

    def qualifies(self, specialist_id: str, channel: Channel, needs: tuple[Need, ...]) -> bool:
        """Tell whether somebody, present or not, is good enough."""
        return any(specialist_id in group.listed for group in self._union(channel, needs))

    def meets(self, channel: Channel, need: Need) -> bool:
        """Tell whether anybody, present or not, is good enough."""
        return any(group.listed for group in self._meeting(channel, need))

    def counts(self, channel: Channel, needs: tuple[Need, ...]) -> Counts:
        """Count those left by one rule after the other."""
        groups = self._union(channel, needs)
        serving = sum(len(group.listed) for group in self._meeting(channel, _ANYBODY))
        speaking = _size(self._union(channel, _spoken(needs)))
        if _apart(groups):
            listed = sum(len(group.listed) for group in groups)
            online = sum(group.online for group in groups)
            available = sum(group.available for group in groups)
            able = sum(len(group.able) for group in groups)
            return Counts(serving, speaking, listed, online, available, able)
        ids = set[str]().union(*(group.listed for group in groups))
        online, available = len(ids & self._online[channel]), len(ids & self._there[channel])
        return Counts(
            serving, speaking, len(ids), online, available, len(ids & self._able[channel])
        )

    def _meeting(self, channel: Channel, need: Need) -> tuple[_Group, ...]:
        """Find the groups that are good enough; each new group makes the answer forgotten."""
        met = self._met.get((channel, need))
        if met is None:
            language = _ANY if need.language is None else need.language
            skills = frozenset(need.skills)
            met = self._met[channel, need] = tuple(
                group
                for group in self._groups[channel].values()
                if group.language == language
                and group.level >= need.level
                and skills <= group.skills
            )
        return met

    def _union(self, channel: Channel, needs: tuple[Need, ...]) -> tuple[_Group, ...]:
        """Find the groups that are good enough at some step; everybody's holds all others."""
        union = self._unions.get((channel, needs))
        if union is None:
            asked = (_ANYBODY,) if _ANYBODY in needs else needs
            groups = (group for need in asked for group in self._meeting(channel, need))
            union = tuple({id(group): group for group in groups}.values())
            self._unions[channel, needs] = union
        return union

    def _groups_of(self, member: Member, channel: Channel) -> Sequence[_Group]:
        skills = frozenset(member.skills)
        keys = [(language, level, skills) for language, level in member.speaks.items()]
        return [self._group(channel, key) for key in (*keys, (_ANY, HIGHEST, frozenset()))]

    def _group(self, channel: Channel, key: tuple[str, int, frozenset[str]]) -> _Group:
        group = self._groups[channel].get(key)
        if group is None:
            group = self._groups[channel][key] = _Group(*key)
            self._met.clear()
            self._unions.clear()
        return group

    def _take_out(self, specialist_id: str, channel: Channel, place: _Place) -> None:
        rank = place.standings.pop(channel, None)
        if rank is not None:
            self._able[channel].discard(specialist_id)
            for group in place.groups[channel]:
                group.able.remove(rank)

    def _show(
        self,
        specialist_id: str,
        place: _Place,
        *,
        online: frozenset[Channel],
        available: frozenset[Channel],
    ) -> None:
        """Count somebody as who they are now, a channel."""
        for channel, groups in place.groups.items():
            for group in groups:
                group.online += (channel in online) - (channel in place.online)
                group.available += (channel in available) - (channel in place.available)
            for here, some in ((online, self._online), (available, self._there)):
                (some[channel].add if channel in here else some[channel].discard)(specialist_id)
        came_or_went = available != place.available
        place.online, place.available = online, available
        if came_or_went:
            self._count(specialist_id, place)

    def _count(self, specialist_id: str, place: _Place) -> None:
        """Say who is there; where a thing is rarer by that, or less rare, rank who can do it."""
        for ability in place.abilities:
            on, _ = ability
            others = self._there_with[ability]
            before = _rarity(len(others))
            if on in place.available if on else place.available:
                others.add(specialist_id)
            else:
                others.discard(specialist_id)
            if _rarity(len(others)) != before:
                for other in others:
                    self.rank(other)


_ANYBODY: Final = Need(language=None, level=1)


@lru_cache(maxsize=4096)
def _spoken(needs: tuple[Need, ...]) -> tuple[Need, ...]:
    """Leave skills out."""
    return tuple(need.model_copy(update={"skills": ()}) for need in needs)


def _rarity(count: int) -> int:
    return _THOUSAND >> (count.bit_length() - 1) if 0 < count < _RARE_MAX else 0


def _apart(groups: Iterable[_Group]) -> bool:
    """Tell whether nobody is in two of them: each speaks a language at one level."""
    return len({group.language for group in groups}) <= 1


def _size(groups: Sequence[_Group]) -> int:
    if _apart(groups):
        return sum(len(group.listed) for group in groups)
    return len(set[str]().union(*(group.listed for group in groups)))


def _all(place: _Place) -> Iterator[_Group]:
    return (group for groups in place.groups.values() for group in groups)


def _abilities(member: Member) -> Sequence[Ability]:
    spoken = [(channel, language) for channel in member.serves for language in member.speaks]
    return [*spoken, *(("", skill) for skill in member.skills)]
