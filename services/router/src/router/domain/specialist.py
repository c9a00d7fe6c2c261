"""One specialist: their roster entry, their own presence and their load."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from router.domain.matching import Rank
from router.domain.matching.ranking import idle_since, load_share, score
from router.domain.ticket import base_language
from shared.events import Absence, Presence, SpecialistListed, Weights
from shared.rosters import HIGHEST, Shifts, shift_status
from shared.sla.promises import Channel

__all__ = ["CHANNELS", "Away", "Specialist", "listed_specialist", "removed_specialist"]

type Away = Literal["said", "unanswered"]
"""Why a specialist is away: they set it ("said"), or did not answer several offers."""

CHANNELS: Final[tuple[Channel, ...]] = ("email", "phone", "chat")
_ABSENT: Final[tuple[Presence, ...]] = ("online", "away", "offline")


@dataclass(slots=True)
class Specialist:
    """A specialist: roster entry, presence, and how many tickets they hold on each channel."""

    specialist_id: str
    name: str
    languages: tuple[str, ...]
    presence: Presence
    listed_at: datetime
    removed: bool = False
    capacity: dict[Channel, int] = field(default_factory=dict)
    load: dict[Channel, int] = field(default_factory=dict)
    last_at: dict[Channel, datetime] = field(default_factory=dict)
    """When they were last assigned a ticket of each channel."""
    levels: dict[str, int] = field(default_factory=dict)
    skills: tuple[str, ...] = ()
    team: str | None = None
    certified: bool = True
    universal: int | None = None
    """Capacity of all channels together, in which each ticket counts as its channel's weight."""
    weights: dict[Channel, int] = field(default_factory=dict)
    shifts: Shifts | None = None
    """Loaded only when the roster has just listed them or their shift changes, else None."""
    on_shift: bool = True
    turns_at: datetime | None = None
    """When ``on_shift`` changes next; None for a specialist without shifts."""
    reported_presence: Presence | None = None
    """What their heartbeats last reported; None before the first one."""
    presence_until: datetime | None = None
    """When ``reported_presence`` becomes offline unless another heartbeat comes."""
    away: Away | None = None
    """Set by the specialist or by unanswered offers; heartbeats do not change it."""
    unanswered: int = 0
    """How many offers in a row expired."""
    auto_ring: bool = False
    """A phone system accepts for them, so that they need not sign in to get offers."""

    speaks: dict[str, int] = field(init=False)
    """The best level of each language, regions ignored."""

    def __post_init__(self) -> None:
        self.speaks = {}
        for tag in self.languages:
            level = self.levels.get(tag, HIGHEST)
            self.speaks[base_language(tag)] = max(level, self.speaks.get(base_language(tag), 0))

    @property
    def effective_presence(self) -> Presence:
        """The most absent of the roster's presence, the reported one and `away`."""
        own: Presence = "away" if self.away else "online"
        return max(self.presence, self.reported_presence or "online", own, key=_ABSENT.index)

    @property
    def is_reachable(self) -> bool:
        """Whether an offer reaches them: they have signed in at least once, or need not."""
        return self.reported_presence is not None or self.auto_ring

    @property
    def online(self) -> bool:
        """Online, on shift or not."""
        return self.effective_presence == "online"

    @property
    def available(self) -> bool:
        """Online and on shift."""
        return self.online and self.on_shift

    @property
    def absence(self) -> Absence | None:
        """Why they can keep no ticket, or None; being away is no reason to free their tickets."""
        if self.removed:
            return "left"
        if self.effective_presence == "offline":
            return "offline"
        return None if self.on_shift else "off_shift"

    @property
    def wakes_at(self) -> datetime | None:
        """When time alone changes their availability: the shift changes or the presence lapses."""
        ends = [at for at in (self.turns_at, self.presence_until) if at is not None]
        return min(ends, default=None)

    @property
    def serves(self) -> Mapping[Channel, int]:
        """The channels on which they take premium tickets, with the capacity of each."""
        if not self.certified:
            return {}
        return {channel: most for channel, most in self.capacity.items() if most > 0}

    @property
    def weighted_load(self) -> int:
        """Their load on all channels, each ticket counted as its channel's weight."""
        return sum(load * self.weights.get(on, 1) for on, load in self.load.items())

    def room(self, channel: Channel) -> int:
        """Return how many more tickets of a channel they can hold.

        It is negative if the roster lowered a capacity below the load.
        """
        room = self.capacity.get(channel, 0) - self.load.get(channel, 0)
        if self.universal is None:
            return room
        return min(room, (self.universal - self.weighted_load) // self.weights.get(channel, 1))

    def can_take(self, channel: Channel) -> bool:
        """Return whether they are available and have room."""
        return self.available and self.room(channel) > 0

    def rank(self, channel: Channel, scarcity: int, weights: Weights) -> Rank:
        """Return their rank on a channel, without affinity; the lowest is chosen first."""
        share = load_share(
            capacity=self.capacity.get(channel, 0),
            load=self.load.get(channel, 0),
            universal=self.universal,
            held=0 if self.universal is None else self.weighted_load,
        )
        total = score(scarcity=scarcity, load=share, knows=False, weights=weights)
        return Rank(total, idle_since(self.last_at.get(channel)), self.specialist_id)

    def update_shift(self, now: datetime) -> None:
        """Set ``on_shift`` and ``turns_at`` as of now."""
        none = True, None
        self.on_shift, self.turns_at = (
            none if self.shifts is None else shift_status(self.shifts, now)
        )

    def copy(self) -> "Specialist":
        """Return a copy whose loads can change independently."""
        return replace(
            self, capacity={**self.capacity}, load={**self.load}, last_at={**self.last_at}
        )


def listed_specialist(event: SpecialistListed, listed_at: datetime) -> Specialist:
    """Create a specialist from their roster entry."""
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
        auto_ring=event.auto_ring,
        universal=None if event.universal is None else event.universal.capacity,
        weights={} if event.universal is None else event.universal.weights,
        shifts=event.shifts,
    )


def removed_specialist(specialist_id: str, removed_at: datetime) -> Specialist:
    """Create the entry that remains of a specialist who was removed from the roster."""
    return Specialist(
        specialist_id=specialist_id,
        name=specialist_id,
        languages=(),
        presence="offline",
        listed_at=removed_at,
        removed=True,
        capacity=dict.fromkeys(CHANNELS, 0),
    )
