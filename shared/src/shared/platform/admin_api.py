"""What the admin endpoints of services exchange with their clients."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ADMIN",
    "BURST",
    "RATE_PER_S",
    "BusinessTime",
    "DeadLetterCount",
    "DeadLetters",
    "IssuedKey",
    "KeyInfo",
    "KeyName",
    "NewKey",
    "RedriveRequest",
    "SignInLink",
    "SignInLinkRequest",
    "SpecialistRecord",
]

ADMIN: Final = "/v1/admin"
"""The path of all admin endpoints."""
RATE_PER_S: Final = 2_000
BURST: Final = 4_000
_RATE_MAX: Final = 1_000_000
_DAYS_MAX: Final = 3650
_OWNED_MAX: Final = 1_000

_Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Request(_Message):
    model_config = ConfigDict(extra="forbid")


class KeyName(_Request):
    """The owner and the name of a key."""

    tenant: Annotated[_Name, Field(description="The owner.", examples=["acme"])]
    name: Annotated[_Name, Field(description="What it is for.", examples=["web-form"])]


class NewKey(KeyName):
    """What a new key permits."""

    scopes: Annotated[list[str], Field(min_length=1, examples=[["admin"]])]
    owned: Annotated[
        list[_Name],
        Field(
            max_length=_OWNED_MAX,
            description="What the tenant gets: sources at intake, specialists as whom it may act at"
            " router; at sla-monitor the accounts to which the key is limited, none: it may read"
            " all. `*` is all.",
        ),
    ] = []
    days: Annotated[int, Field(ge=1, le=_DAYS_MAX)] | None = Field(
        default=None, description="Expires after so many days; null: never."
    )
    rate_per_s: Annotated[int, Field(ge=1, le=_RATE_MAX, description="Requests a second.")] = (
        RATE_PER_S
    )
    burst: Annotated[int, Field(ge=1, le=_RATE_MAX, description="Requests at once.")] = BURST


class KeyInfo(_Message):
    """A stored key, without its secret."""

    prefix: str = Field(description="Identifies the key; public.", examples=["7hQ2mXa9"])
    tenant: str
    name: str
    scopes: Sequence[str]
    owned: Sequence[str] = Field(description="The sources, specialists or accounts; `*`: all.")
    rate_per_s: int
    burst: int
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    state: Literal["in force", "expired", "revoked"]


class IssuedKey(KeyInfo):
    """A new key. Its secret is shown only here."""

    key: str = Field(description="The whole key, as clients send it. Store it now.")


class BusinessTime(_Message):
    """The time by which a service judges requests and promises."""

    now: datetime


class DeadLetterCount(_Message):
    """The dead letters of one topic with one reason."""

    topic: str = Field(examples=["inbound.v1"])
    reason: str = Field(examples=["bad_data"])
    records: int


class DeadLetters(_Message):
    """How many dead letters there are, and the highest number among them."""

    last_id: int = Field(description="0 if there are none.")
    counts: list[DeadLetterCount]


class RedriveRequest(_Request):
    """Which dead letters to send again."""

    last_id: Annotated[int, Field(ge=0, le=2**63 - 1, examples=[41])]


class SignInLinkRequest(_Request):
    """The person whom a link signs in."""

    specialist_id: Annotated[_Name, Field(examples=["mara"])]
    lead: bool = Field(default=False, description="May see and move the tickets of others.")


class SignInLink(_Message):
    """A sign-in link. Its secret is shown only here."""

    path: str = Field(description="Below the service's public URL.", examples=["/sign-in/link/…"])
    expires_in_s: int = Field(examples=[900])


class SpecialistRecord(_Message):
    """A specialist on the roster, and the event time of the latest record about them."""

    specialist_id: str = Field(examples=["mara"])
    listed_at: datetime
