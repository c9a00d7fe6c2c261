"""The roster: one record per specialist on the compacted topic ``specialists.v1``."""

from typing import Annotated, ClassVar, Literal, override

from pydantic import BaseModel, ConfigDict, Field

from shared.events.base import Event
from shared.rosters import HIGHEST, Level, Shifts
from shared.sla.promises import Channel, added

__all__ = ["Presence", "SpecialistListed", "SpecialistRemoved", "Universal"]

type Presence = Literal["online", "away", "offline"]


type _Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]


class Universal(BaseModel):
    """A specialist's capacity over all channels: the maximum total weight of their tickets.

    ``weights`` gives the weight of a ticket by channel; the default is 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    capacity: int = Field(ge=0, le=1_000_000)
    weights: dict[Channel, Annotated[int, Field(ge=1, le=1_000_000)]] = {}


class SpecialistListed(Event):
    """A specialist on the roster. ``capacity`` is the number of tickets held at once, by channel.

    A language without an entry in ``levels`` has the highest level. A specialist without shifts
    works whenever online. Only ``certified`` ones take premium tickets. ``auto_ring``: offers ring
    even if the specialist never signed in, because a phone system accepts for them.
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
    skills: tuple[_Name, ...] = added(())
    team: _Name | None = added(None)
    shifts: Shifts | None = added(None)
    certified: bool = added(default=True)
    auto_ring: bool = added(default=False)

    @property
    @override
    def subject(self) -> str:
        """The specialist's id."""
        return self.specialist_id

    def level(self, language: str) -> int:
        """Return the specialist's level, 1 to 5, in a language that they speak."""
        return self.levels.get(language, HIGHEST)


class SpecialistRemoved(Event):
    """The specialist left the roster. On Kafka this is a tombstone, for compaction."""

    topic: ClassVar[str] = "specialists.v1"
    type: ClassVar[str] = "premium.specialist.removed.v1"

    specialist_id: str

    @property
    @override
    def subject(self) -> str:
        """The specialist's id."""
        return self.specialist_id
