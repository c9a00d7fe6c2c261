"""The roster: one record a specialist on the compacted topic ``specialists.v1``."""

from typing import Annotated, ClassVar, Literal, override

from pydantic import BaseModel, ConfigDict, Field

from shared.events.base import Event
from shared.rosters import HIGHEST, Level, Shifts
from shared.sla.promises import Channel, added

__all__ = ["Presence", "SpecialistListed", "SpecialistRemoved", "Universal"]

type Presence = Literal["online", "away", "offline"]


type _Word = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]


class Universal(BaseModel):
    """What somebody can hold on all channels together, a ticket as heavy as its channel weighs.

    A channel without a weight weighs 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    capacity: int = Field(ge=0, le=1_000_000)
    weights: dict[Channel, Annotated[int, Field(ge=1, le=1_000_000)]] = {}


class SpecialistListed(Event):
    """A specialist as the roster has them now. Capacity is in tickets held at once, a channel.

    Who has no entry in ``levels`` for a language speaks it as well as can be. Who has no shifts
    works whenever online. Only who is ``certified`` takes premium tickets. With ``auto_ring``
    offers ring also at a specialist who never signed in: a phone system accepts for them.
    """

    topic: ClassVar[str] = "specialists.v1"
    type: ClassVar[str] = "premium.specialist.listed.v1"

    specialist_id: str = Field(min_length=1, max_length=100)
    name: str = Field(min_length=1, max_length=200)
    mail: str = Field(pattern=r"^[^@\s<>,;\"]+@[^@\s<>,;\"]+$", max_length=254)
    languages: tuple[str, ...] = Field(min_length=1)
    capacity: dict[Channel, Annotated[int, Field(ge=0, le=1_000_000)]]
    presence: Presence = "online"
    levels: dict[str, Level] = added({})
    universal: Universal | None = added(None)
    skills: tuple[_Word, ...] = added(())
    team: _Word | None = added(None)
    shifts: Shifts | None = added(None)
    certified: bool = added(default=True)
    auto_ring: bool = added(default=False)

    @property
    @override
    def subject(self) -> str:
        """The specialist."""
        return self.specialist_id

    def level(self, language: str) -> int:
        """Say how well they speak one of their languages, from 1 to 5."""
        return self.levels.get(language, HIGHEST)


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
