"""The request and response bodies of intake's HTTP API, as its OpenAPI document shows them."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from intake.cloudevents import BATCH_MAX, BATCHED, STRUCTURED
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
                    "maxItems": BATCH_MAX,
                },
            },
            JSON: {"schema": _DOCUMENT},
        },
    }
}

_Unread = Annotated[dict[str, Any], WithJsonSchema(_REQUEST)]
"""A request that is validated on its own, so that an invalid one does not fail the batch."""


class Batch(BaseModel):
    """Requests sent together: each is handled and answered on its own."""

    tickets: list[_Unread] = Field(min_length=1, max_length=BATCH_MAX)


class Answer(BaseModel):
    """The answer to one document of a batch: its receipt, or why it is invalid."""

    position: int
    receipt: ReceiptIssued | None = None
    fault: str | None = None


class Answers(BaseModel):
    """An answer for each document, in the order of the batch."""

    answers: list[Answer]


class LaterText(BaseModel):
    """A later message of the customer; `written_on` is the merged ticket it went to, or null."""

    occurred_at: Moment
    body: str
    written_on: UUID | None = None


class Details(BaseModel):
    """The requester and the customer's texts; empty once they are erased."""

    ticket_id: UUID
    source: str
    account_id: str
    requester_id: str
    language: str
    subject: str
    body: str
    phone_number: str | None = Field(None, description="Where to call, in E.164.")
    words: list[LaterText] = Field([], description="The customer's later messages, in order.")


class ShownPromise(BaseModel):
    """A promise with its current due time; null while a paused clock has nothing due."""

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
    """An accepted ticket with its promises, and the policy that they come from."""

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
