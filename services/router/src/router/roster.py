"""The roster: who serves which channel in which languages, and whom an account belongs to."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Final

from router.ticket import Ticket, base
from shared.events import Presence, QueueReason
from shared.promises import Channel

__all__ = ["CHANNELS", "Roster", "Specialist"]

CHANNELS: Final[tuple[Channel, ...]] = ("email", "phone", "chat")
_ENGLISH: Final = "en"

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

    def room(self, channel: Channel) -> int:
        """Count the tickets they could take more; below zero when the roster shrank."""
        return self.capacity.get(channel, 0) - self.load.get(channel, 0)

    def can_take(self, channel: Channel) -> bool:
        """Online, with room."""
        held = self.load.get(channel, 0)
        return self.presence == "online" and held < self.capacity.get(channel, 0)


class Roster:
    """Everybody, found by id or by what they serve."""

    def __init__(self, specialists: Iterable[Specialist]) -> None:
        self._by_id: dict[str, Specialist] = {}
        self._serving: defaultdict[_Pool, dict[str, Specialist]] = defaultdict(dict)
        for specialist in specialists:
            self.put(specialist)

    def get(self, specialist_id: str) -> Specialist | None:
        """Find somebody, removed or not."""
        return self._by_id.get(specialist_id)

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

    def why_nobody(self, channel: Channel, language: str) -> QueueReason:
        """Say what stands in the way of a ticket that nobody can take now."""
        qualified = self.qualified(channel, language).values()
        if not qualified:
            return "no_skill"
        present = any(specialist.presence == "online" for specialist in qualified)
        return "no_capacity" if present else "no_shift"

    def takers(self, ticket: Ticket) -> Iterator[Specialist]:
        """Find all who could take a ticket now.

        Who declined it is left out, unless all who are qualified did: then it is offered again.
        """
        terms, declined_by = ticket.terms, ticket.declined_by
        qualified = self.qualified(terms.channel, base(terms.language))
        if declined_by and qualified.keys() <= declined_by:
            declined_by = frozenset()
        for specialist in qualified.values():
            if specialist.can_take(terms.channel) and specialist.specialist_id not in declined_by:
                yield specialist


def preference(account_id: str, specialist_id: str) -> bytes:
    """Rank specialists for an account, the greatest first (rendezvous hashing).

    An account keeps its person while that person has room, with nothing to remember; and when
    somebody comes or leaves, the other accounts keep theirs.
    """
    return blake2b(f"{account_id}\x1f{specialist_id}".encode(), digest_size=8).digest()


def _pools(specialist: Specialist) -> set[_Pool]:
    return {
        (channel, base(language))
        for channel, capacity in specialist.capacity.items()
        if capacity > 0
        for language in specialist.languages
    }
