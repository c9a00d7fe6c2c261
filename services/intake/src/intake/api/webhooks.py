"""The endpoints for signed webhooks: verify the sender, then handle and answer each event."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from intake.domain.webhook_mapping import Erasure, Ignored, InvalidEvent, MappedDocument
from intake.service import Document
from intake.store import webhooks as webhook_store
from intake.submissions import (
    Entry,
    EntryOutcome,
    Erased,
    ErasureOf,
    Refused,
    Submission,
    UnmappedEvent,
)
from intake.webhooks import hubspot, reading, standard
from intake.webhooks.secrets import Secrets
from shared.basics.errors import Poison
from shared.basics.tracing import context_or_new
from shared.events import ReceiptIssued
from shared.events.codec import VALUE_BYTES_MAX, read_json
from shared.platform import idempotency
from shared.platform.api import problems
from shared.platform.http import problem
from shared.platform.idempotency import IdempotencyKey, make_key
from shared.platform.postgres import Database
from shared.webhooks import ConnectionKind, WebhookConnection

__all__ = ["Submit", "routes"]

_LOG = structlog.get_logger()
_TIME_LIMIT_S: Final = 4.0
"""HubSpot waits five seconds for a response."""
_LATE: Final = "not finished in time; send the same again: events that were accepted are recognised"
_UNREADABLE: Final = "a secret of this connection cannot be read here; send the same again later"

_SENDER_SIGNS: Final = APIKeyHeader(
    name=standard.SIGNATURE, scheme_name="StandardWebhooks", auto_error=False
)
_HUBSPOT_SIGNS: Final = APIKeyHeader(
    name=hubspot.SIGNATURE, scheme_name="HubSpotSignature", auto_error=False
)
"""Both only describe the API; the signature is verified when body and connection are known."""
_ANY_EVENT: Final = {
    "type": "object",
    "description": "An event in the sender's own format, which the connection's mapping reads.",
    "additionalProperties": True,
}
_HUBSPOTS_EVENTS: Final = {
    "type": "array",
    "maxItems": hubspot.EVENTS_MAX,
    "items": {
        "type": "object",
        "title": "HubSpotEvent",
        "additionalProperties": True,
        "properties": {
            "eventId": {"type": "integer"},
            "subscriptionId": {"type": "integer"},
            "portalId": {"type": "integer"},
            "occurredAt": {"type": "integer", "description": "Milliseconds since 1970."},
            "subscriptionType": {"type": "string", "examples": ["ticket.creation"]},
            "objectId": {"type": "integer"},
        },
    },
}
_REFUSED: Final = problems(
    {
        HTTPStatus.BAD_REQUEST: "The body cannot be read.",
        HTTPStatus.UNAUTHORIZED: "It is not signed with a secret of this connection.",
        HTTPStatus.NOT_FOUND: "There is no such connection.",
        HTTPStatus.UNPROCESSABLE_ENTITY: "The mapping cannot read the event.",
    }
)


class WebhookAnswer(BaseModel):
    """The answer to an event: the outcome of its receipt, or `ignored`, `erased` or `refused`."""

    position: int
    outcome: str = Field(examples=["accepted", "ignored", "refused"])
    reason: str | None = None
    fault: str | None = Field(None, description="Why it was refused.")


class WebhookAnswers(BaseModel):
    """An answer for each event, in the order in which they were sent."""

    answers: list[WebhookAnswer]


type Submit = Callable[[Submission], Awaitable[list[EntryOutcome]]]
"""Handles a submission and returns the outcome of each entry: see `Submissions.outcomes`."""


def routes(db: Database, secrets: Secrets, submit: Submit) -> APIRouter:
    """Make the webhook endpoints, for ``include_router`` of an app."""
    router = APIRouter()
    endpoints = _WebhookEndpoints(db, secrets, submit)

    @router.post(
        "/v1/webhooks/hubspot/{connection}",
        response_model=WebhookAnswers,
        responses=_REFUSED,
        openapi_extra=_body_of(_HUBSPOTS_EVENTS),
    )
    async def take_hubspot_events(
        connection: str, request: Request, _: Annotated[str | None, Depends(_HUBSPOT_SIGNS)]
    ) -> Response:
        """Accept events of HubSpot, signed with version 3 of its signature."""
        return await endpoints.handle(request, connection, "hubspot")

    @router.post(
        "/v1/webhooks/signed/{connection}",
        response_model=WebhookAnswers,
        responses=_REFUSED,
        openapi_extra=_body_of(_ANY_EVENT),
    )
    async def take_signed_event(
        connection: str, request: Request, _: Annotated[str | None, Depends(_SENDER_SIGNS)]
    ) -> Response:
        """Accept an event of any system, signed as in Standard Webhooks."""
        return await endpoints.handle(request, connection, "signed")

    return router


class _WebhookEndpoints:
    """Answers within five seconds; after a timeout the sender may repeat the webhook safely."""

    def __init__(self, db: Database, secrets: Secrets, submit: Submit) -> None:
        self._db = db
        self._secrets = secrets
        self._submit = submit

    async def handle(self, request: Request, name: str, kind: ConnectionKind) -> Response:
        """Verify a webhook, map its events, submit them, and answer."""
        try:
            async with asyncio.timeout(_TIME_LIMIT_S):
                body = await _body(request)
                connection, now = await self._connection(name, kind)
                self._verify(connection, request, body, now)
                events = list(_keyed_events(connection, request, body))
                outcomes = await asyncio.gather(
                    *(self._outcome(connection, event, key) for event, key in events)
                )
        except TimeoutError:
            _LOG.warning("webhook_late", connection=name)
            answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, _LATE)
            answer.headers["retry-after"] = "1"
            return answer
        return _answer(connection, outcomes)

    async def _connection(
        self, name: str, kind: ConnectionKind
    ) -> tuple[WebhookConnection, datetime]:
        async with self._db.session() as session:
            found = await webhook_store.connection_and_time(session, name)
        if found is None or found[0].kind != kind:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no {kind} connection {name!r}")
        return found

    async def _outcome(
        self,
        connection: WebhookConnection,
        event: Any,  # noqa: ANN401 - JSON is any
        key: IdempotencyKey,
    ) -> EntryOutcome | None:
        """Submit one event; None if it is ignored."""
        entry = _entry_of(connection, event)
        if entry is None:
            return None
        [outcome] = await self._submit(Submission([entry], key))
        return outcome

    def _verify(
        self, connection: WebhookConnection, request: Request, body: bytes, now: datetime
    ) -> None:
        keys = [key for name in connection.secrets if (key := self._key(connection, name))]
        if connection.kind == "hubspot":
            fault = hubspot.fault_of(keys, connection.url or "", request.headers, body, now)
        else:
            fault = standard.fault_of(keys, request.headers, body, now)
        if fault is None:
            return
        if len(keys) < len(connection.secrets):
            _LOG.error("webhook_secret_missing", connection=connection.name)
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, _UNREADABLE)
        _LOG.warning("webhook_not_signed", connection=connection.name, fault=fault)
        raise HTTPException(HTTPStatus.UNAUTHORIZED, fault)

    def _key(self, connection: WebhookConnection, name: str) -> bytes | None:
        secret = self._secrets.named(name)
        if secret is None:
            return None
        text = secret.get_secret_value()
        return text.encode() if connection.kind == "hubspot" else standard.key_of(text)


def _body_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Describe in OpenAPI a body that FastAPI does not parse, because its bytes are signed."""
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


async def _body(request: Request) -> bytes:
    """Read the body, up to the size limit.

    Raises:
        HTTPException: It is too large (413).
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > VALUE_BYTES_MAX:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"send at most {VALUE_BYTES_MAX} bytes"
            )
    return bytes(body)


def _keyed_events(
    connection: WebhookConnection, request: Request, body: bytes
) -> Iterator[tuple[Any, IdempotencyKey]]:
    """Read the events of a webhook, each with its idempotency key.

    A signed webhook has an id. HubSpot has none that is certain to be unique: there the key is the
    event's content.
    """
    try:
        content = read_json(body)
    except Poison as e:
        raise HTTPException(HTTPStatus.BAD_REQUEST, e.detail) from e
    path, owner = request.url.path, ("webhook", connection.name)
    if connection.kind == "signed":
        digest = idempotency.fingerprint(path, body)
        yield content, make_key(standard.id_of(request.headers), digest, *owner)
        return
    if not isinstance(content, list) or len(content) > hubspot.EVENTS_MAX:
        raise HTTPException(
            HTTPStatus.BAD_REQUEST, f"HubSpot sends an array of up to {hubspot.EVENTS_MAX} events"
        )
    for event in content:
        digest = idempotency.fingerprint(path, to_json(hubspot.content_of(event)))
        yield event, make_key(digest.hex(), digest, *owner)


def _entry_of(connection: WebhookConnection, event: Any) -> Entry | None:  # noqa: ANN401 - as above
    """Map an event; None if it is ignored. An invalid one is refused, or parked if from HubSpot.

    HubSpot gets a 200 for all its events together, and does not send one of them again.
    """
    match reading.meaning(connection, event):
        case MappedDocument(content):
            return Document(content, context_or_new(None))
        case Erasure(subject_id):
            return ErasureOf(connection.mapping.source, subject_id)
        case InvalidEvent(fault) if connection.kind == "hubspot":
            return UnmappedEvent(connection.name, event, fault)
        case InvalidEvent(fault):
            return Refused(fault=fault)
        case Ignored():
            return None


def _answer(connection: WebhookConnection, outcomes: Sequence[EntryOutcome | None]) -> Response:
    answers = [{"position": n, **_answer_of(outcome)} for n, outcome in enumerate(outcomes)]
    for answer in answers:
        if answer["outcome"] == "refused":
            _LOG.warning("webhook_event_refused", connection=connection.name, **answer)
    counts = Counter(str(answer["outcome"]) for answer in answers)
    _LOG.info("webhook_handled", connection=connection.name, **counts)
    match connection.kind, outcomes:
        case "signed", [Refused(fault=fault)]:
            return problem(HTTPStatus.UNPROCESSABLE_ENTITY, fault)
        case _:
            return JSONResponse({"answers": answers})


def _answer_of(outcome: EntryOutcome | None) -> dict[str, str | None]:
    match outcome:
        case ReceiptIssued():
            return {"outcome": outcome.outcome, "reason": outcome.reason}
        case Erased():
            return {"outcome": "erased"}
        case Refused():
            return {"outcome": "refused", "fault": outcome.fault}
        case None:
            return {"outcome": "ignored"}
