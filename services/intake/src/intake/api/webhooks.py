"""The doors for webhooks: who posts is proven first, then each event is read and answered alone."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Protocol

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from intake.domain.webhook_mapping import Erasure, Ignored, Meaning, Refusal, Taken
from intake.store import webhooks as webhook_store
from intake.webhooks import hubspot, reading, standard
from intake.webhooks.secrets import Secrets
from shared.basics.errors import Poison
from shared.events import Inbound
from shared.events.codec import VALUE_BYTES_MAX, read_json
from shared.platform import postgres
from shared.platform.api import problems
from shared.platform.http import problem
from shared.platform.postgres import Database
from shared.webhooks import ConnectionKind, WebhookConnection

__all__ = ["Erase", "Outcome", "Submit", "routes"]

_LOG = structlog.get_logger()
_ANSWER_S_MAX: Final = 4.0
"""HubSpot waits for five."""
_LATE: Final = "not finished in time; send the same again: what was taken is told apart"
_UNREADABLE: Final = "a secret of this connection cannot be read here; send the same again later"

_SENDER_SIGNS: Final = APIKeyHeader(
    name=standard.SIGNATURE, scheme_name="StandardWebhooks", auto_error=False
)
_HUBSPOT_SIGNS: Final = APIKeyHeader(
    name=hubspot.SIGNATURE, scheme_name="HubSpotSignature", auto_error=False
)
"""For the description; what is signed is checked where body and connection are known."""
_ANY_EVENT: Final = {
    "type": "object",
    "description": "Whatever the sender's events hold; a mapping reads it.",
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
        HTTPStatus.UNAUTHORIZED: "It is not signed, or not by a secret of this connection.",
        HTTPStatus.NOT_FOUND: "There is no such connection.",
        HTTPStatus.UNPROCESSABLE_ENTITY: "The event is not what the mapping reads.",
    }
)


class WebhookAnswer(BaseModel):
    """What became of an event: of a document as in its receipt, or it was no business of ours."""

    position: int
    outcome: str = Field(examples=["accepted", "ignored", "refused"])
    reason: str | None = None
    fault: str | None = Field(None, description="Why it was refused.")


class WebhookAnswers(BaseModel):
    """An answer for each event, in order."""

    answers: list[WebhookAnswer]


class Outcome(Protocol):
    """What became of a document."""

    @property
    def outcome(self) -> str:
        """In a word."""

    @property
    def reason(self) -> str | None:
        """Why, in a word, where it was not simply accepted."""


type Submit = Callable[[Sequence[Inbound]], Awaitable[Sequence[Outcome]]]
"""Takes documents, each once; answers each in its place."""
type Erase = Callable[[str, str], Awaitable[None]]
"""Forgets a person, by the source and the source's id of them; harmless when repeated."""


def routes(db: Database, secrets: Secrets, submit: Submit, erase: Erase) -> APIRouter:
    """Make the doors, which add themselves to an app by ``include_router``."""
    router = APIRouter()
    door = _Door(db, secrets, submit, erase)

    @router.post(
        "/v1/webhooks/hubspot/{connection}",
        response_model=WebhookAnswers,
        responses=_REFUSED,
        openapi_extra=_body_of(_HUBSPOTS_EVENTS),
    )
    async def take_hubspot_events(
        connection: str, request: Request, _: Annotated[str | None, Depends(_HUBSPOT_SIGNS)]
    ) -> Response:
        """Take events of HubSpot, signed by version 3 of its signature."""
        return await door.take(request, connection, "hubspot")

    @router.post(
        "/v1/webhooks/signed/{connection}",
        response_model=WebhookAnswers,
        responses=_REFUSED,
        openapi_extra=_body_of(_ANY_EVENT),
    )
    async def take_signed_event(
        connection: str, request: Request, _: Annotated[str | None, Depends(_SENDER_SIGNS)]
    ) -> Response:
        """Take an event of any system, signed as Standard Webhooks has it."""
        return await door.take(request, connection, "signed")

    return router


class _Door:
    """Answers within five seconds. What was cut off may be sent again: all ids are derived."""

    def __init__(self, db: Database, secrets: Secrets, submit: Submit, erase: Erase) -> None:
        self._db = db
        self._secrets = secrets
        self._submit = submit
        self._erase = erase

    async def take(self, request: Request, name: str, kind: ConnectionKind) -> Response:
        """Verify, read, submit, answer."""
        try:
            async with asyncio.timeout(_ANSWER_S_MAX):
                body = await _body(request)
                connection, now = await self._connection(name, kind)
                self._verify(connection, request, body, now)
                events = _events(kind, body)
                told = standard.id_of(request.headers)
                meanings = [reading.meaning(connection, event, told) for event in events]
                await self._park(connection, events, meanings)
                return await self._answer(connection, meanings)
        except TimeoutError:
            _LOG.warning("webhook_late", connection=name)
            answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, _LATE)
            answer.headers["retry-after"] = "1"
            return answer

    async def _connection(
        self, name: str, kind: ConnectionKind
    ) -> tuple[WebhookConnection, datetime]:
        async with self._db.transaction() as tx:
            found = await webhook_store.connection(tx, name)
            now = await postgres.now(tx)
        if found is None or found.kind != kind:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no {kind} connection {name!r}")
        return found, now

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

    async def _park(
        self, connection: WebhookConnection, events: Sequence[Any], meanings: Sequence[Meaning]
    ) -> None:
        """Keep what HubSpot sent and we cannot read: it takes our answer for the end of it."""
        bad = [
            (event, meaning.fault)
            for event, meaning in zip(events, meanings, strict=True)
            if isinstance(meaning, Refusal)
        ]
        if not bad or connection.kind != "hubspot":
            return
        async with self._db.transaction() as tx:
            for event, fault in bad:
                await reading.park(tx, connection.name, event, fault)

    async def _answer(self, connection: WebhookConnection, meanings: Sequence[Meaning]) -> Response:
        contents = [one.content for one in meanings if isinstance(one, Taken)]
        outcomes = iter(await self._submit(contents) if contents else ())
        for subject_id in sorted({x.subject_id for x in meanings if isinstance(x, Erasure)}):
            await self._erase(connection.mapping.source, subject_id)
        answers = [{"position": n, **_told(one, outcomes)} for n, one in enumerate(meanings)]
        for answer in answers:
            if answer["outcome"] == "refused":
                _LOG.warning("webhook_event_refused", connection=connection.name, **answer)
        counts = Counter(str(answer["outcome"]) for answer in answers)
        _LOG.info("webhook_taken", connection=connection.name, **counts)
        match connection.kind, meanings:
            case "signed", [Refusal(fault)]:
                return problem(HTTPStatus.UNPROCESSABLE_ENTITY, fault)
            case _:
                return JSONResponse({"answers": answers})


def _body_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Declare a body that is read by hand, since its signature is over its bytes."""
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


async def _body(request: Request) -> bytes:
    """Read no more than we take."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > VALUE_BYTES_MAX:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"send at most {VALUE_BYTES_MAX} bytes"
            )
    return bytes(body)


def _events(kind: ConnectionKind, body: bytes) -> Sequence[Any]:
    try:
        content = read_json(body)
    except Poison as e:
        raise HTTPException(HTTPStatus.BAD_REQUEST, e.detail) from e
    if kind == "signed":
        return [content]
    if not isinstance(content, list) or len(content) > hubspot.EVENTS_MAX:
        raise HTTPException(
            HTTPStatus.BAD_REQUEST, f"HubSpot sends an array of up to {hubspot.EVENTS_MAX} events"
        )
    return content


def _told(meaning: Meaning, outcomes: Iterator[Outcome]) -> dict[str, str | None]:
    match meaning:
        case Taken():
            became = next(outcomes)
            return {"outcome": became.outcome, "reason": became.reason}
        case Erasure():
            return {"outcome": "erased"}
        case Ignored():
            return {"outcome": "ignored"}
        case Refusal(fault):
            return {"outcome": "refused", "fault": fault}
