"""The roster: who serves which channel in which languages, and whom an account belongs to."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Final

from router.ticket import Ticket, base
from shared.events import Absence, Presence, QueueReason
from shared.promises import Channel
from shared.rosters import Shifts, turn

__all__ = ["CHANNELS", "Roster", "Specialist"]

CHANNELS: Final[tuple[Channel, ...]] = ("email", "phone", "chat")
_ENGLISH: Final = "en"
_ABSENT: Final[tuple[Presence, ...]] = ("online", "away", "offline")

type _Pool = tuple[Channel, str]


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
    said: Presence | None = None
    """Their own word, where they give it: by heartbeats."""
    said_until: datetime | None = None
    """Unless it is said again by then, it means offline."""

    @property
    def seen(self) -> Presence:
        """What holds of the roster's word and their own: the more absent."""
        return max(self.presence, self.said or "online", key=_ABSENT.index)

    @property
    def there(self) -> bool:
        """Online, and on shift."""
        return self.seen == "online" and self.on_shift

    @property
    def absence(self) -> Absence | None:
        """Say why they are to keep nothing; who is only away keeps what they have."""
        if self.removed:
            return "left"
        if self.seen == "offline":
            return "offline"
        return None if self.on_shift else "off_shift"

    def is_due(self, now: datetime) -> bool:
        """Tell whether their shift, or the lease of their presence, has had its time by now."""
        turns = self.turns_at is not None and self.turns_at <= now
        return turns or (self.said_until is not None and self.said_until <= now)

    def room(self, channel: Channel) -> int:
        """Count the tickets they could take more; below zero when the roster shrank."""
        room = self.capacity.get(channel, 0) - self.load.get(channel, 0)
        if self.universal is None:
            return room
        held = sum(load * self.weights.get(on, 1) for on, load in self.load.items())
        return min(room, (self.universal - held) // self.weights.get(channel, 1))

    def can_take(self, channel: Channel) -> bool:
        """There, with room."""
        return self.there and self.room(channel) > 0

    def turn(self, now: datetime) -> None:
        """Find out whether they are on shift, and until when."""
        if self.shifts is not None:
            self.on_shift, self.turns_at = turn(self.shifts, now)


class Roster:
    """Everybody, found by id or by what they serve."""

    def __init__(self, specialists: Iterable[Specialist]) -> None:
        self._by_id: dict[str, Specialist] = {}
        self._serving: defaultdict[_Pool, dict[str, Specialist]] = defaultdict(dict)
        for specialist in specialists:
            self.put(specialist)

    @property
    def everybody(self) -> Mapping[str, Specialist]:
        """All who are known, by id; who left is among them, and serves nothing."""
        return self._by_id

    def get(self, specialist_id: str) -> Specialist | None:
        """Find somebody, removed or not."""
        return self._by_id.get(specialist_id)

    def due(self, now: datetime) -> list[Specialist]:
        """Find those whose shift has begun or ended by now, or whose presence has lapsed."""
        return [one for one in self._by_id.values() if one.is_due(now)]

    def put(self, specialist: Specialist) -> None:
        """Add somebody, or replace what was known of them."""
        if (known := self._by_id.get(specialist.specialist_id)) is not None:
            for pool in _pools(known):
                del self._serving[pool][known.specialist_id]
        self._by_id[specialist.specialist_id] = specialist
        for pool in _pools(specialist):
            self._serving[pool][specialist.specialist_id] = specialist

    def room(self, channel: Channel) -> int:
        """Count what all together could take more on a channel, whatever their presence."""
        return sum(max(0, specialist.room(channel)) for specialist in self._by_id.values())

    def serves(self, channel: Channel, language: str) -> bool:
        """Tell whether anybody, present or not, serves the channel in this language."""
        return bool(self._serving.get((channel, language)))

    def qualified(self, channel: Channel, language: str) -> Mapping[str, Specialist]:
        """Find all who serve a language; where nobody does, all who serve English instead."""
        spoken = language if self.serves(channel, language) else _ENGLISH
        return self._serving.get((channel, spoken), {})

    def is_qualified(self, ticket: Ticket, specialist_id: str) -> bool:
        """Tell whether somebody is of those who serve a ticket's channel and language."""
        terms = ticket.terms
        return specialist_id in self.qualified(terms.channel, base(terms.language))

    def why_nobody(self, channel: Channel, language: str) -> QueueReason:
        """Say what stands in the way of a ticket that nobody can take now."""
        qualified = self.qualified(channel, language).values()
        if not qualified:
            return "no_skill"
        present = any(specialist.there for specialist in qualified)
        return "no_capacity" if present else "no_shift"

    def takers(self, ticket: Ticket) -> Iterator[Specialist]:
        """Find all who could take a ticket now. Of a pinned one nobody could but one.

        Who is set aside is left out. But those who only kept silent are asked again when nobody
        else is there, and who said no, when all who are qualified did.
        """
        terms, pinned_to = ticket.terms, ticket.pinned_to
        qualified = self.qualified(terms.channel, base(terms.language))
        if pinned_to is not None and pinned_to in qualified:
            qualified = {pinned_to: qualified[pinned_to]}
        aside = frozenset(ticket.set_aside)
        if aside and {name for name, one in qualified.items() if one.there} <= aside:
            aside = ticket.declined_by
        if aside and qualified.keys() <= aside:
            aside = frozenset()
        for specialist in qualified.values():
            if specialist.can_take(terms.channel) and specialist.specialist_id not in aside:
                yield specialist


def preference(account_id: str, specialist_id: str) -> bytes:
    """Rank specialists for an account, the greatest first (rendezvous hashing).

    An account keeps its person while that person has room, with nothing to remember; and when
    somebody comes or leaves, the other accounts keep theirs.
    """
    return blake2b(f"{account_id}\x1f{specialist_id}".encode(), digest_size=8).digest()


def _pools(specialist: Specialist) -> set[_Pool]:
    if not specialist.certified:
        return set()
    return {
        (channel, base(language))
        for channel, capacity in specialist.capacity.items()
        if capacity > 0
        for language in specialist.languages
    }
