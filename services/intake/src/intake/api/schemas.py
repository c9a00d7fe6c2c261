"""What intake's door reads and answers over HTTP, as its OpenAPI document shows it."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from intake.cloudevents import BATCHED, STRUCTURED, TOGETHER_MAX
from shared.events import ReceiptIssued
from shared.events.base import Moment
from shared.platform.http_input import JSON
from shared.sla.promises import Cause, Channel, PromiseClass, PromiseKind, Severity

__all__ = [
    "CLOUDEVENT_BODY",
    "Answer",
    "Answers",
    "Batch",
    "Details",
    "Erased",
    "TicketPromises",
]

_REQUEST: Final = {"$ref": "#/components/schemas/SupportRequest"}
_DOCUMENT: Final = {"anyOf": [_REQUEST, {"$ref": "#/components/schemas/LaterFact"}]}
_TEXT: Final = {"type": "string", "minLength": 1}
_CLOUDEVENT: Final = {
    "type": "object",
    "title": "CloudEvent",
    "description": "A CloudEvent 1.0, whose data is a request or a later fact.",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"type": "string", "const": "1.0"},
        "id": _TEXT,
        "source": _TEXT,
        "type": _TEXT,
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"type": "string"},
        "traceparent": {"type": "string"},
        "tracestate": {"type": "string"},
        "data": _DOCUMENT,
        "data_base64": {"type": "string", "contentEncoding": "base64"},
    },
    "not": {
        "properties": {"data": {}, "data_base64": {}},
        "required": ["data", "data_base64"],
    },
}
CLOUDEVENT_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            STRUCTURED: {"schema": _CLOUDEVENT},
            BATCHED: {
                "schema": {
                    "type": "array",
                    "items": {**_CLOUDEVENT, "title": "BatchedCloudEvent"},
                    "maxItems": TOGETHER_MAX,
                },
            },
            JSON: {"schema": _DOCUMENT},
        },
    }
}

_Unread = Annotated[dict[str, Any], WithJsonSchema(_REQUEST)]
"""A request that is read, and answered, on its own."""


class Batch(BaseModel):
    """Requests sent together: each is judged and answered on its own."""

    tickets: list[_Unread] = Field(min_length=1, max_length=TOGETHER_MAX)


class Answer(BaseModel):
    """What became of one of several: its receipt, or the fault for which it was not read."""

    position: int
    receipt: ReceiptIssued | None = None
    fault: str | None = None


class Answers(BaseModel):
    """An answer for each document, in order."""

    answers: list[Answer]


class Words(BaseModel):
    """What the customer wrote later; `written_on` a ticket that was merged into this one."""

    occurred_at: Moment
    body: str
    written_on: UUID | None = None


class Details(BaseModel):
    """What a customer wrote, and who it was; empty once it is erased."""

    ticket_id: UUID
    source: str
    account_id: str
    requester_id: str
    language: str
    subject: str
    body: str
    phone_number: str | None = Field(None, description="Where to call, in E.164.")
    words: list[Words] = Field([], description="What the customer wrote later, in order.")


class Erased(BaseModel):
    """How many tickets forgot what was written in them."""

    tickets: int


class ShownPromise(BaseModel):
    """A promise, with what is due by now; nothing is while the clock is `paused`."""

    model_config = ConfigDict(extra="ignore")

    kind: PromiseKind
    promise_class: PromiseClass
    target_s: int
    due_at: datetime | None
    calendar: str
    calendar_version: str = ""
    time_zone: str
    region: str | None = None
    rule: str
    exception: str | None = None
    warnings: list[str] = []
    pause_on: list[Cause] = []
    paused: bool = False


class TicketPromises(BaseModel):
    """What was accepted, by which policy, and what is promised."""

    ticket_id: UUID
    source: str
    external_id: str
    account_id: str
    channel: Channel
    severity: Severity
    claimed_severity: Severity
    language: str
    tier: str | None
    region: str | None
    policy: str
    rule: str | None
    promises: list[ShownPromise]
    no_promise: str | None
    create_date: datetime
