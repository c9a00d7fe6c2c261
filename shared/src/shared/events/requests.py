"""The documents that upstream systems send, over HTTP and on ``inbound.v1``.

A document without a ``type`` is a support request. One with a ``type`` is a later fact about the
request with the same ``source`` and ``external_id``.
"""

from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID, uuid5

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    model_validator,
)
from pydantic.config import JsonDict

from shared.events.accounts import Language, Zone
from shared.events.base import ticket_id_of
from shared.sla.policies import Region, Tier
from shared.sla.promises import Cause, Channel, Role, Severity, added

__all__ = ["INBOUND", "Inbound", "LaterFact", "SupportRequest"]

_YEAR_MIN, _YEAR_MAX = 2000, 2100
_A_REQUEST: Final[JsonDict] = {
    "source": "app-form",
    "external_id": "A-1001",
    "account_id": "northwind",
    "requester_id": "ada",
    "role": "super_admin",
    "channel": "email",
    "severity": "business_critical",
    "language": "en",
    "time_zone": "Europe/Berlin",
    "subject": "Nobody can log in",
    "body": "Since 09:40 nobody in our company can log in.",
    "occurred_at": "2026-03-02T08:45:00Z",
}
_A_REPLY: Final[JsonDict] = {
    "source": "app-form",
    "external_id": "A-1001",
    "type": "responded",
    "occurred_at": "2026-03-02T09:02:00Z",
}
_A_WAIT: Final[JsonDict] = {
    "source": "app-form",
    "external_id": "A-1001",
    "type": "waiting",
    "occurred_at": "2026-03-02T09:05:00Z",
    "event_id": "A-1001/7",
    "waiting_for": "customer",
}


def _plausible(moment: datetime) -> datetime:
    if not _YEAR_MIN <= moment.year < _YEAR_MAX:
        raise ValueError(f"lies outside the years {_YEAR_MIN} to {_YEAR_MAX - 1}")
    return moment


def _printable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds a NUL character")
    return text


type PlausibleMoment = Annotated[AwareDatetime, AfterValidator(_plausible)]
type Reference = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
type FactType = Literal[
    "responded",
    "customer_replied",
    "customer_reached",
    "waiting",
    "resumed",
    "reclassified",
    "resolved",
    "reopened",
    "closed",
    "noted",
    "merged",
]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    source: Reference
    external_id: Reference

    @cached_property
    def ticket_id(self) -> UUID:
        """The ticket that this document belongs to."""
        return ticket_id_of(self.source, self.external_id)


class SupportRequest(_Document):
    """A customer asks for help. ``occurred_at`` is the create date from which promises run.

    ``role``, zone, tier and region are the sender's values; those of the account take precedence.
    Without ``language`` it is detected from the text. ``phone_number`` is the number for callbacks;
    ``dialled``: the customer called us and is already on the phone with a specialist.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_A_REQUEST]})

    account_id: Reference
    requester_id: Reference
    role: Role | None = None
    channel: Channel
    severity: Severity = "standard"
    asked_in: Literal["web", "mobile_app"] = "web"
    language: Language | None = None
    time_zone: Zone = "UTC"
    tier: Tier | None = None
    region: Region | None = None
    subject: Annotated[str, Field(max_length=1_000), AfterValidator(_printable)]
    body: Annotated[str, Field(max_length=100_000), AfterValidator(_printable)] = ""
    occurred_at: PlausibleMoment
    phone_number: Annotated[str | None, Field(min_length=1, max_length=40)] = added(None)
    dialled: bool = added(default=False)

    @model_validator(mode="after")
    def _who_dials_is_on_the_phone(self) -> Self:
        if self.dialled and self.channel != "phone":
            raise ValueError("dialled goes with channel phone only")
        return self

    @cached_property
    def document_id(self) -> UUID:
        """The same for every copy of one request, however often and by whichever API it comes."""
        return uuid5(self.ticket_id, "request")


_CONTENT: Final = {"type", "severity", "waiting_for", "into", "body"}


class LaterFact(_Document):
    """An event about a request that was sent before, or will be sent."""

    model_config = ConfigDict(json_schema_extra={"examples": [_A_REPLY, _A_WAIT]})

    type: FactType
    occurred_at: PlausibleMoment
    event_id: Reference | None = None
    severity: Severity | None = None
    waiting_for: Cause | None = None
    into: Reference | None = None
    """The external id of the request that a duplicate was merged into."""
    body: Annotated[str, Field(max_length=100_000), AfterValidator(_printable)] = added("")
    """What the customer wrote; stored and erased like the body of a request."""

    @model_validator(mode="after")
    def _fields_fit_the_type(self) -> Self:
        if (self.severity is not None) != (self.type == "reclassified"):
            raise ValueError("severity goes with type reclassified, and only there")
        if self.waiting_for is not None and self.type != "waiting":
            raise ValueError("waiting_for goes with type waiting only")
        if (self.into is not None) != (self.type == "merged"):
            raise ValueError("into goes with type merged, and only there")
        if self.body and self.type != "customer_replied":
            raise ValueError("body goes with type customer_replied only")
        return self

    @cached_property
    def document_id(self) -> UUID:
        """The same for all copies: derived from the content and time, not from ``event_id``."""
        content = self.model_dump(include=_CONTENT, exclude_defaults=True)
        at = self.occurred_at.astimezone(UTC).isoformat()
        return uuid5(self.ticket_id, "\x1f".join([at, *(f"{k}={v}" for k, v in content.items())]))

    @cached_property
    def claim_id(self) -> UUID | None:
        """The same for equal ``event_id`` values of the sender; None without one."""
        return None if self.event_id is None else uuid5(self.ticket_id, f"event {self.event_id}")


def _kind_of(document: Any) -> str:  # noqa: ANN401 - pydantic passes any input
    if isinstance(document, LaterFact):
        return "fact"
    return "fact" if isinstance(document, dict) and "type" in document else "request"


type Inbound = SupportRequest | LaterFact

INBOUND: TypeAdapter[Inbound] = TypeAdapter(
    Annotated[
        Annotated[SupportRequest, Tag("request")] | Annotated[LaterFact, Tag("fact")],
        Discriminator(_kind_of),
    ]
)
"""Validates either document and reports every bad field."""
