"""The roster: one record a specialist on the compacted topic ``specialists.v1``."""

from typing import Annotated, ClassVar, Literal, override

from pydantic import Field

from shared.events.base import Event
from shared.promises import Channel

__all__ = ["Presence", "SpecialistListed", "SpecialistRemoved"]

type Presence = Literal["online", "away", "offline"]


class SpecialistListed(Event):
    """A specialist as the roster has them now. Capacity is in tickets held at once, a channel."""

    topic: ClassVar[str] = "specialists.v1"
    type: ClassVar[str] = "premium.specialist.listed.v1"

    specialist_id: str = Field(min_length=1, max_length=100)
    name: str = Field(min_length=1, max_length=200)
    mail: str = Field(pattern=r"^[^@\s<>,;\"]+@[^@\s<>,;\"]+$", max_length=254)
    languages: tuple[str, ...] = Field(min_length=1)
    capacity: dict[Channel, Annotated[int, Field(ge=0, le=1_000_000)]]
    presence: Presence = "online"

    @property
    @override
    def subject(self) -> str:
        """The specialist."""
        return self.specialist_id


class SpecialistRemoved(Event):
    """The specialist left the roster; on the wire a tombstone, as compaction wants it."""

    topic: ClassVar[str] = "specialists.v1"
    type: ClassVar[str] = "premium.specialist.removed.v1"

    specialist_id: str

    @property
    @override
    def subject(self) -> str:
        """The specialist."""
        return self.specialist_id
