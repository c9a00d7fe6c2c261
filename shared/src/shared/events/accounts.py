"""Accounts and their entitlement: one record per account on the compacted topic ``accounts.v1``."""

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
"""An IANA time zone; Windows names are translated by Unicode's CLDR."""
type Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)]
"""A BCP 47 tag."""
type _Id = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]


class Purchase(BaseModel):
    """An interval in which the account has Premium Support.

    ``until`` is the first instant after it; without it the interval has no end.
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
    """The number of this record among the ``of`` records of one listing, counted from 1."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: int = Field(ge=1)
    of: int = Field(ge=1, le=10_000)

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.number > self.of:
            raise ValueError(f"part {self.number} of {self.of} cannot be")
        return self


class AccountListed(Event):
    """An account as billing records it, from the envelope's time on.

    A listing too large for one record is sent in parts: each has some of the people, all other
    fields, and the same time; the listing applies once all parts have arrived. The key of a part is
    the account's id, `PART_MARK` and its number. A person in neither ``super_admins`` nor ``seats``
    has no paid seat; ``seats`` may be "everyone". Purchases apply to requests of any date; roles
    apply from the envelope's time on.
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
        """Sort the people, so that equal listings are equal text."""
        return people if isinstance(people, str) else sorted(people)

    @property
    @override
    def subject(self) -> str:
        """The account's id."""
        return self.account_id


class AccountAnswered(Event):
    """The result of one record of ``accounts.v1``.

    ``incomplete``: ``parts_missing`` parts have not arrived yet. ``listed``: ``super_admins`` and
    ``seats`` count the people. ``refused``: see ``reason`` and ``remedy``.
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
