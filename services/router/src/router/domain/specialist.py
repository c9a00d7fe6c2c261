"""One specialist: what the roster says of them, what they say themselves, and what they hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Literal

from router.domain.matching import Rank
from router.domain.matching.scoring import idle_since, load_share, score
from router.domain.ticket import base_language
from shared.events import Absence, Presence, SpecialistListed, Weights
from shared.rosters import HIGHEST, Shifts, turn
from shared.sla.promises import Channel

__all__ = ["CHANNELS", "Away", "Specialist", "left", "listed"]

type Away = Literal["said", "unanswered"]
"""Why a specialist is away until they come back: they said so, or let too many offers ring."""

CHANNELS: Final[tuple[Channel, ...]] = ("email", "phone", "chat")
_ABSENT: Final[tuple[Presence, ...]] = ("online", "away", "offline")


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
    reported_presence: Presence | None = None
    """Their own word, where they give it: by heartbeats."""
    presence_until: datetime | None = None
    """Unless it is said again by then, it means offline."""
    away: Away | None = None
    """Set and ended by what they do; no heartbeat changes it."""
    unanswered: int = 0
    """Offers in a row that expired."""
    auto_ring: bool = False
    """A phone system accepts for them, signed in or not."""

    speaks: dict[str, int] = field(init=False)
    """The best level of each language, whatever the region."""

    def __post_init__(self) -> None:
        self.speaks = {}
        for tag in self.languages:
            level = self.levels.get(tag, HIGHEST)
            self.speaks[base_language(tag)] = max(level, self.speaks.get(base_language(tag), 0))

    @property
    def effective_presence(self) -> Presence:
        """What holds of the roster's word and their own: the more absent."""
        own: Presence = "away" if self.away else "online"
        return max(self.presence, self.reported_presence or "online", own, key=_ABSENT.index)

    @property
    def is_reachable(self) -> bool:
        """An offer would be heard: they have signed in once, or need not."""
        return self.reported_presence is not None or self.auto_ring

    @property
    def online(self) -> bool:
        """Present, on shift or not."""
        return self.effective_presence == "online"

    @property
    def available(self) -> bool:
        """Online, and on shift."""
        return self.online and self.on_shift

    @property
    def absence(self) -> Absence | None:
        """Say why they are to keep nothing; who is only away keeps what they have."""
        if self.removed:
            return "left"
        if self.effective_presence == "offline":
            return "offline"
        return None if self.on_shift else "off_shift"

    @property
    def wakes_at(self) -> datetime | None:
        """Say when time alone changes how they stand: their shift turns, or their word lapses."""
        ends = [at for at in (self.turns_at, self.presence_until) if at is not None]
        return min(ends, default=None)

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
        return self.available and self.room(channel) > 0

    def rank(self, channel: Channel, scarcity: int, weights: Weights) -> Rank:
        """Rank on a channel, the lowest first, but for whom they know."""
        share = load_share(
            capacity=self.capacity.get(channel, 0),
            load=self.load.get(channel, 0),
            universal=self.universal,
            held=0 if self.universal is None else self.held,
        )
        total = score(scarcity=scarcity, load=share, knows=False, weights=weights)
        return Rank(total, idle_since(self.last_at.get(channel)), self.specialist_id)

    def turn(self, now: datetime) -> None:
        """Find out whether they are on shift, and until when."""
        none = True, None
        self.on_shift, self.turns_at = none if self.shifts is None else turn(self.shifts, now)

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
        auto_ring=event.auto_ring,
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
