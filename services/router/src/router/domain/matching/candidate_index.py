"""An index of candidates, sorted by rank, so that a decision does not visit every specialist.

Specialists with the same channel, language, level and skills form a group; all specialists of a
channel form one more. Either all members of a group meet a need, or none does. Each group keeps its
members with room sorted by rank.
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
"""An ability that this many available specialists have is not scarce."""
_THOUSAND: Final = 1000

type Ability = tuple[str, str]
"""A channel and a language; or an empty string and a skill."""


class Rank(NamedTuple):
    """A specialist's rank on a channel: score without affinity, then ties. The lowest is first."""

    score: int
    idle_since: float
    specialist_id: str


class Member(Protocol):
    """What the index needs to know of a specialist."""

    @property
    def specialist_id(self) -> str:
        """The specialist's id."""

    @property
    def is_reachable(self) -> bool:
        """Whether an offer reaches them."""

    @property
    def online(self) -> bool:
        """Online, on shift or not."""

    @property
    def available(self) -> bool:
        """Online and on shift."""

    @property
    def serves(self) -> Mapping[Channel, int]:
        """The channels on which they take premium tickets, with the capacity of each."""

    @property
    def speaks(self) -> Mapping[str, int]:
        """The level of each language, without regions."""

    @property
    def skills(self) -> Sequence[str]:
        """Skills that matching rules may ask for."""

    def can_take(self, channel: Channel) -> bool:
        """Return whether they are available and have room."""

    def rank(self, channel: Channel, scarcity: int, weights: Weights) -> Rank:
        """Return their rank on a channel."""


class _Group:
    """The specialists of one channel who have the same language, level and skills."""

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
    """How many specialists are left after each rule, applied one after the other."""

    serving: int
    speaking: int
    qualified: int
    online: int
    available: int
    able: int


@dataclass(slots=True)
class _Membership:
    """The groups of a specialist, and the channels on which they count as online and available."""

    groups: Mapping[Channel, Sequence[_Group]]
    abilities: Sequence[Ability]
    online: frozenset[Channel] = frozenset()
    available: frozenset[Channel] = frozenset()
    """Channels on which they are counted as online, and as available."""
    ranks: dict[Channel, Rank] = field(default_factory=dict)


class CandidateIndex:
    """All listed and certified specialists, by group and rank."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._members: dict[str, Member] = {}
        self._memberships: dict[str, _Membership] = {}
        self._groups: defaultdict[Channel, dict[tuple[str, int, frozenset[str]], _Group]] = (
            defaultdict(dict)
        )
        self._met: dict[tuple[Channel, Need], tuple[_Group, ...]] = {}
        self._unions: dict[tuple[Channel, tuple[Need, ...]], tuple[_Group, ...]] = {}
        self._able: defaultdict[Channel, set[str]] = defaultdict(set)
        self._online: defaultdict[Channel, set[str]] = defaultdict(set)
        self._available: defaultdict[Channel, set[str]] = defaultdict(set)
        self._rings: frozenset[Channel] = frozenset()
        self._available_with: defaultdict[Ability, set[str]] = defaultdict(set)
        self.version = 0
        """Grows when a group becomes empty or stops being so: other needs can be met then."""

    def ring_on(self, channels: frozenset[Channel]) -> None:
        """Set the channels on which tickets ring: there only reachable specialists count."""
        if channels != self._rings:
            self._rings = channels
            for member in (*self._members.values(),):
                self.put(member)

    def is_reachable(self, member: Member, channel: Channel) -> bool:
        """Return whether a specialist can get tickets of a channel: offers need a sign-in first."""
        return member.is_reachable or channel not in self._rings

    def put(self, member: Member) -> None:
        """Add or update a specialist."""
        specialist_id = member.specialist_id
        groups = {channel: self._groups_of(member, channel) for channel in member.serves}
        membership = self._memberships.get(specialist_id)
        if membership is None or membership.groups != groups:
            self.remove(specialist_id)
            membership = self._memberships[specialist_id] = _Membership(groups, _abilities(member))
            for group in _all_groups(membership):
                self.version += not group.listed
                group.listed.add(specialist_id)
        self._members[specialist_id] = member
        reachable = frozenset(channel for channel in groups if self.is_reachable(member, channel))
        nothing = frozenset[Channel]()
        online, available = (
            reachable if member.online else nothing,
            reachable if member.available else nothing,
        )
        self._count_presence(specialist_id, membership, online=online, available=available)
        self.update_rank(specialist_id)

    def remove(self, specialist_id: str) -> None:
        """Remove a specialist, if known."""
        membership = self._memberships.pop(specialist_id, None)
        if membership is None:
            return
        del self._members[specialist_id]
        for channel in membership.groups:
            self._remove_rank(specialist_id, channel, membership)
        for group in _all_groups(membership):
            group.listed.discard(specialist_id)
            self.version += not group.listed
        self._count_presence(specialist_id, membership, online=frozenset(), available=frozenset())

    def update_rank(self, specialist_id: str) -> None:
        """Update a specialist's ranks after a change of load or scarcity."""
        member, membership = self._members.get(specialist_id), self._memberships.get(specialist_id)
        if member is None or membership is None:
            return
        scarcity = self.scarcity(specialist_id)
        for channel, groups in membership.groups.items():
            new = (
                member.rank(channel, scarcity, self._weights)
                if member.can_take(channel) and self.is_reachable(member, channel)
                else None
            )
            if new == membership.ranks.get(channel):
                continue
            self._remove_rank(specialist_id, channel, membership)
            if new is not None:
                membership.ranks[channel] = new
                self._able[channel].add(specialist_id)
                for group in groups:
                    group.able.add(new)

    def scarcity(self, specialist_id: str) -> int:
        """Return the sum of the scarcities of a specialist's abilities, in thousandths.

        An ability of 1 available specialist counts 1000, of 2 or 3 half of it, of 4 to 7 a quarter.
        """
        membership = self._memberships.get(specialist_id)
        return (
            sum(_rarity(len(self._available_with[one])) for one in membership.abilities)
            if membership
            else 0
        )

    def able(
        self, channel: Channel, needs: Iterable[Need], excluded: Collection[str]
    ) -> Iterator[tuple[int, Rank]]:
        """Yield those who can take a ticket, and which need they meet: by need, then by rank."""
        seen: set[str] = set()
        for step, need in enumerate(needs):
            ranked = [group.able for group in self._groups_meeting(channel, need) if group.able]
            for rank in merge(*ranked) if len(ranked) > 1 else iter(*ranked or [()]):
                if rank.specialist_id not in seen and rank.specialist_id not in excluded:
                    seen.add(rank.specialist_id)
                    yield step, rank

    def few(self, channel: Channel, needs: tuple[Need, ...], most: int) -> set[str] | None:
        """Return all who qualify, available or not; None if they are more than ``most``."""
        groups = self._groups_meeting_any(channel, needs)
        if any(len(group.listed) > most for group in groups):
            return None
        found = set[str]().union(*(group.listed for group in groups))
        return found if len(found) <= most else None

    def able_among(self, channel: Channel, needs: tuple[Need, ...], some: Iterable[str]) -> int:
        """Count how many of ``some`` qualify and can take a ticket."""
        able = [one for one in some if one in self._able[channel]]
        groups = self._groups_meeting_any(channel, needs) if able else ()
        return sum(any(one in group.listed for group in groups) for one in able)

    def all_qualified_in(
        self, channel: Channel, needs: tuple[Need, ...], some: Collection[str]
    ) -> bool:
        """Return whether all who qualify are in ``some``, a small set."""
        groups = self._groups_meeting_any(channel, needs)
        if any(len(group.listed) > len(some) for group in groups):
            return False
        return all(group.listed.issubset(some) for group in groups)

    def all_available_in(
        self, channel: Channel, needs: tuple[Need, ...], some: Collection[str]
    ) -> bool:
        """Return whether all who qualify and are available are in ``some``."""
        available = self._available[channel].intersection(some)
        return all(
            group.available == len(group.listed.intersection(available))
            for group in self._groups_meeting_any(channel, needs)
        )

    def qualifies(self, specialist_id: str, channel: Channel, needs: tuple[Need, ...]) -> bool:
        """Return whether a specialist, available or not, meets one of the needs."""
        return any(
            specialist_id in group.listed for group in self._groups_meeting_any(channel, needs)
        )

    def meets(self, channel: Channel, need: Need) -> bool:
        """Return whether any specialist, available or not, meets a need."""
        return any(group.listed for group in self._groups_meeting(channel, need))

    def counts(self, channel: Channel, needs: tuple[Need, ...]) -> Counts:
        """Count the specialists who are left after each rule."""
        groups = self._groups_meeting_any(channel, needs)
        serving = sum(len(group.listed) for group in self._groups_meeting(channel, _ANY_SPECIALIST))
        speaking = _size(self._groups_meeting_any(channel, _without_skills(needs)))
        if _are_disjoint(groups):
            listed = sum(len(group.listed) for group in groups)
            online = sum(group.online for group in groups)
            available = sum(group.available for group in groups)
            able = sum(len(group.able) for group in groups)
            return Counts(serving, speaking, listed, online, available, able)
        ids = set[str]().union(*(group.listed for group in groups))
        online, available = len(ids & self._online[channel]), len(ids & self._available[channel])
        return Counts(
            serving, speaking, len(ids), online, available, len(ids & self._able[channel])
        )

    def _groups_meeting(self, channel: Channel, need: Need) -> tuple[_Group, ...]:
        """Return the groups that meet a need; the cached result is dropped when a group is new."""
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

    def _groups_meeting_any(self, channel: Channel, needs: tuple[Need, ...]) -> tuple[_Group, ...]:
        """Return the groups that meet any of the needs; one group if a need admits all."""
        union = self._unions.get((channel, needs))
        if union is None:
            asked = (_ANY_SPECIALIST,) if _ANY_SPECIALIST in needs else needs
            groups = (group for need in asked for group in self._groups_meeting(channel, need))
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

    def _remove_rank(self, specialist_id: str, channel: Channel, membership: _Membership) -> None:
        rank = membership.ranks.pop(channel, None)
        if rank is not None:
            self._able[channel].discard(specialist_id)
            for group in membership.groups[channel]:
                group.able.remove(rank)

    def _count_presence(
        self,
        specialist_id: str,
        membership: _Membership,
        *,
        online: frozenset[Channel],
        available: frozenset[Channel],
    ) -> None:
        """Count a specialist as online and available on these channels, and no longer on others."""
        for channel, groups in membership.groups.items():
            for group in groups:
                group.online += (channel in online) - (channel in membership.online)
                group.available += (channel in available) - (channel in membership.available)
            for reachable, some in ((online, self._online), (available, self._available)):
                (some[channel].add if channel in reachable else some[channel].discard)(
                    specialist_id
                )
        availability_changed = available != membership.available
        membership.online, membership.available = online, available
        if availability_changed:
            self._update_scarcity(specialist_id, membership)

    def _update_scarcity(self, specialist_id: str, membership: _Membership) -> None:
        """Update the scarcity of a specialist's abilities, and the ranks that it changes."""
        for ability in membership.abilities:
            on, _ = ability
            others = self._available_with[ability]
            before = _rarity(len(others))
            if on in membership.available if on else membership.available:
                others.add(specialist_id)
            else:
                others.discard(specialist_id)
            if _rarity(len(others)) != before:
                for other in others:
                    self.update_rank(other)


_ANY_SPECIALIST: Final = Need(language=None, level=1)


@lru_cache(maxsize=4096)
def _without_skills(needs: tuple[Need, ...]) -> tuple[Need, ...]:
    """Return the needs without their skills."""
    return tuple(need.model_copy(update={"skills": ()}) for need in needs)


def _rarity(count: int) -> int:
    return _THOUSAND >> (count.bit_length() - 1) if 0 < count < _RARE_MAX else 0


def _are_disjoint(groups: Iterable[_Group]) -> bool:
    """Return whether groups share no member: those of one language, or only one group."""
    return len({group.language for group in groups}) <= 1


def _size(groups: Sequence[_Group]) -> int:
    if _are_disjoint(groups):
        return sum(len(group.listed) for group in groups)
    return len(set[str]().union(*(group.listed for group in groups)))


def _all_groups(membership: _Membership) -> Iterator[_Group]:
    return (group for groups in membership.groups.values() for group in groups)


def _abilities(member: Member) -> Sequence[Ability]:
    spoken = [(channel, language) for channel in member.serves for language in member.speaks]
    return [*spoken, *(("", skill) for skill in member.skills)]
