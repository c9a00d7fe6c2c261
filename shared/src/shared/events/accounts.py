"""Entitlements: one record an account on the compacted topic ``accounts.v1``."""

from typing import Annotated, ClassVar, Literal, Self, override

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_serializer,
    model_validator,
)

from shared.events.base import Event, Moment
from shared.sla.calendars import known_zone
from shared.sla.policies import Region, Tier
from shared.sla.promises import added

__all__ = [
    "EVERYONE",
    "AccountAnswered",
    "AccountListed",
    "AccountPart",
    "Language",
    "Purchase",
    "Zone",
]

EVERYONE: Literal["everyone"] = "everyone"


type Zone = Annotated[str, AfterValidator(known_zone)]
"""An IANA time zone; the names of Windows, by Unicode's CLDR, are read as such."""
type Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)]
"""A BCP 47 tag."""
type _Id = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]


class Purchase(BaseModel):
    """An interval in which the account has Premium Support; ``until`` is the first instant after.

    Nothing ends where no ``until`` is said.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    since: Moment
    until: Moment | None = None

    @model_validator(mode="after")
    def _is_some_time(self) -> Self:
        if self.until is not None and self.until <= self.since:
            raise ValueError("until is not after since; a purchase lasts some time")
        return self


class AccountPart(BaseModel):
    """Which of so many records of one listing this is, counted from 1."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int = Field(ge=1)
    of: int = Field(ge=1, le=10_000)

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.number > self.of:
            raise ValueError(f"part {self.number} of {self.of} cannot be")
        return self


class AccountListed(Event):
    """An account as billing has it from the envelope's time on.

    One that is too large for a record comes in parts, each with some of its people, all else and
    the same time; it counts once all are there. The key of a part is the account's id, `PART_MARK`
    and its number. Who is not among ``super_admins`` or ``seats`` has no paid seat; ``seats`` may
    be "everyone".
    A purchase counts whenever it is told; who somebody is counts from when it is told.
    """

    topic: ClassVar[str] = "accounts.v1"
    type: ClassVar[str] = "premium.account.listed.v1"
    PART_MARK: ClassVar[str] = "\x1f"

    account_id: _Id
    purchases: tuple[Purchase, ...] = ()
    super_admins: frozenset[_Id] = frozenset()
    seats: frozenset[_Id] | Literal["everyone"] = frozenset()
    time_zone: Zone | None = None
    language: Language | None = None
    tier: Tier | None = None
    region: Region | None = None
    part: AccountPart | None = added(None)

    @field_serializer("super_admins", "seats")
    def _in_order(self, people: frozenset[str] | str) -> list[str] | str:
        """Write the same people in the same order."""
        return people if isinstance(people, str) else sorted(people)

    @property
    @override
    def subject(self) -> str:
        """The account."""
        return self.account_id


class AccountAnswered(Event):
    """What became of a record of ``accounts.v1``, by its own id.

    ``incomplete`` says that so many parts are yet to come. Of a listing in force its people are
    counted, super admins apart; ``reason`` and ``remedy`` say why a record was refused.
    """

    topic: ClassVar[str] = "account-receipts.v1"
    type: ClassVar[str] = "premium.account.answered.v1"

    account_id: str
    record_id: str
    outcome: Literal["listed", "incomplete", "refused"]
    parts_missing: int = 0
    super_admins: int | None = None
    seats: int | Literal["everyone"] | None = None
    reason: str | None = None
    remedy: str | None = None

    @property
    @override
    def subject(self) -> str:
        """The account."""
        return self.account_id
