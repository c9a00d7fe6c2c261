"""Intake's door over HTTP: requests and later facts in, receipts that say what became of them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import FastAPI, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from intake import desk, erasure, store, webhooks
from intake.access import Access, Confidant, Eraser, Guard, Key, Reader, Writer, check_source
from intake.desk import Document
from intake.webhooks import Secrets
from shared import postgres
from shared.api import TicketId, Traceparent, make_api, problems
from shared.errors import Poison
from shared.events import INBOUND, Inbound, LaterFact, ReceiptIssued, SupportRequest
from shared.events.codec import describe, read_json
from shared.http import problem
from shared.postgres import Database, Tx
from shared.tracing import traceparent_or_new

__all__ = ["Answers", "Batch", "make_app"]

_TOGETHER_MAX: Final = 100
_CLOUDEVENT: Final = "application/cloudevents+json"
_CLOUDEVENTS: Final = "application/cloudevents-batch+json"
_KEY: Final = r'^"?[\x21\x23-\x7e]{1,255}"?$'
_IN_HAND: Final = "the first request with this Idempotency-Key is still in hand; ask again"
_OTHER_BODY: Final = (
    "this Idempotency-Key came with another body; send a new key, or the body it came with"
)

_ANSWERED: Final = problems(
    {
        HTTPStatus.CONFLICT: "The first request with this Idempotency-Key is still in hand.",
        HTTPStatus.FORBIDDEN: "The key may not send, or not for this source.",
    }
)
_ONE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": ReceiptIssued, "description": "It came before, or it is no premium request."}
}
_CLOUDEVENT_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            _CLOUDEVENT: {"schema": {"type": "object"}},
            _CLOUDEVENTS: {"schema": {"type": "array", "maxItems": _TOGETHER_MAX}},
            "application/json": {"schema": {"type": "object"}},
        },
    }
}

type IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=_KEY,
        description="For 7 days the same key with the same body gets the same answer.",
    ),
]


class Batch(BaseModel):
    """Requests sent together: each is judged and answered on its own."""

    tickets: list[dict[str, Any]] = Field(min_length=1, max_length=_TOGETHER_MAX)


class Answer(BaseModel):
    """What became of one of several: its receipt, or the fault for which it was not read."""

    position: int
    receipt: ReceiptIssued | None = None
    fault: str | None = None


class Answers(BaseModel):
    """An answer for each document, in order."""

    answers: list[Answer]


class Details(BaseModel):
    """What a customer wrote, and who it was; empty once it is erased."""

    ticket_id: UUID
    source: str
    account_id: str
    requester_id: str
    language: str
    subject: str
    body: str


class Erased(BaseModel):
    """How many tickets forgot what was written in them."""

    tickets: int


def make_app(db: Database, routes: list[BaseRoute], access: Access, secrets: Secrets) -> FastAPI:
    """Build the app; ``routes`` are those that every service has, and open to all."""
    app = make_api("intake", routes, [Middleware(Guard, access=access)])
    door = _Door(db)
    _add_requests(app, door)
    _add_batches(app, door)
    _add_answers(app, db)
    app.include_router(webhooks.routes(db, secrets, door.submit, door.erase))
    return app


def _add_requests(app: FastAPI, door: "_Door") -> None:
    @app.post(
        "/v1/tickets",
        status_code=HTTPStatus.ACCEPTED,
        response_model=ReceiptIssued,
        responses=_ANSWERED | _ONE,
    )
    async def take_request(
        request: Request,
        content: SupportRequest,
        key: Writer,
        traceparent: Traceparent = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Take a support request, and answer what was promised or why nothing is."""
        check_source(key, content.source)
        document = Document(content, traceparent_or_new(traceparent))
        return await door.one(request, document, _Asking(key, idempotency_key))

    @app.post(
        "/v1/events",
        status_code=HTTPStatus.ACCEPTED,
        response_model=ReceiptIssued,
        responses=_ANSWERED | _ONE,
    )
    async def take_fact(
        request: Request,
        content: LaterFact,
        key: Writer,
        traceparent: Traceparent = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Take a later fact about a request that was, or will be, sent."""
        check_source(key, content.source)
        document = Document(content, traceparent_or_new(traceparent))
        return await door.one(request, document, _Asking(key, idempotency_key))


def _add_batches(app: FastAPI, door: "_Door") -> None:
    @app.post("/v1/tickets:batch", response_model=Answers, responses=_ANSWERED)
    async def take_requests(
        request: Request,
        batch: Batch,
        key: Writer,
        traceparent: Traceparent = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Take up to 100 requests, each answered on its own, by its position."""
        asking = _Asking(key, idempotency_key)
        return await door.several(request, batch.tickets, traceparent, asking)

    @app.post(
        "/v1/cloudevents",
        response_model=Answers,
        responses=_ANSWERED | problems({HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "No CloudEvent."}),
        openapi_extra=_CLOUDEVENT_BODY,
    )
    async def take_cloudevents(
        request: Request,
        key: Writer,
        traceparent: Traceparent = None,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Take requests and later facts as CloudEvents 1.0: structured, batched or binary."""
        asking = _Asking(key, idempotency_key)
        return await door.several(request, await _data_of(request), traceparent, asking)


def _add_answers(app: FastAPI, db: Database) -> None:
    @app.get(
        "/v1/receipts/{source}/{external_id:path}",
        response_model=ReceiptIssued,
        responses=problems({HTTPStatus.NOT_FOUND: "No such request has come from this source."}),
    )
    async def receipt(source: str, external_id: str, key: Reader) -> Response:
        """Read what was answered to a request last."""
        async with db.transaction() as tx:
            found = await store.receipt(tx, source, external_id) if key.owns(source) else None
        if found is None:
            raise HTTPException(
                HTTPStatus.NOT_FOUND, f"no request {external_id!r} has come from {source!r}"
            )
        return Response(found, media_type="application/json")

    @app.get(
        "/v1/tickets/{ticket_id}",
        responses=problems({HTTPStatus.NOT_FOUND: "There is no such ticket."}),
    )
    async def ticket(ticket_id: TicketId, key: Reader) -> dict[str, Any]:
        """Read what was accepted and promised."""
        async with db.transaction() as tx:
            found = await store.ticket(tx, ticket_id)
        if found is None or not key.owns(found["source"]):
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no ticket {ticket_id}")
        return found

    @app.get(
        "/v1/tickets/{ticket_id}/details",
        responses=problems({HTTPStatus.NOT_FOUND: "There is no such ticket."}),
    )
    async def details(ticket_id: TicketId, key: Confidant) -> Details:
        """Read what the customer wrote; that it was read, and by whom, is kept."""
        async with db.transaction() as tx:
            found = await store.details(tx, ticket_id)
            if found is None or not key.owns(found["source"]):
                raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no ticket {ticket_id}")
            await store.note_reading(tx, ticket_id, key.tenant, key.prefix)
        return Details.model_validate(found)

    @app.delete("/v1/subjects/{source}/{subject_id:path}")
    async def erase(source: str, subject_id: str, key: Eraser) -> Erased:
        """Forget what a person wrote, in one transaction; nothing is owed to them any more."""
        check_source(key, source)
        async with db.transaction() as tx:
            return Erased(
                tickets=await erasure.erase(tx, source, subject_id, await postgres.now(tx))
            )


@dataclass(frozen=True, slots=True)
class _Asking:
    """Who asks, and the Idempotency-Key if there is one: the same word of two tenants is two.

    Kept as a digest: a sender may make it of a person's name.
    """

    key: Key
    word: str | None

    @property
    def answered_under(self) -> str | None:
        if self.word is None:
            return None
        return sha256(f"{self.key.tenant}/{self.word}".encode()).hexdigest()


class _Door:
    """Takes documents in one transaction with their answer, which an Idempotency-Key replays."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def one(self, request: Request, document: Document, asking: _Asking) -> Response:
        """Answer one document."""

        async def answer(tx: Tx) -> Response:
            (receipt,) = await desk.receive(tx, [document], await postgres.now(tx))
            is_new = receipt.outcome in ("accepted", "held")
            return _json(receipt, HTTPStatus.ACCEPTED if is_new else HTTPStatus.OK)

        return await self._once(request, asking.answered_under, answer)

    async def several(
        self, request: Request, contents: Sequence[Any], traceparent: str | None, asking: _Asking
    ) -> Response:
        """Answer each of several; a bad one does not harm its neighbours."""
        trace = traceparent_or_new(traceparent)
        read = [_read(content, trace, asking.key) for content in contents]
        documents = [one for one in read if isinstance(one, Document)]

        async def answer(tx: Tx) -> Response:
            receipts = iter(await desk.receive(tx, documents, await postgres.now(tx)))
            answers = [
                Answer(position=place, receipt=next(receipts))
                if isinstance(one, Document)
                else Answer(position=place, fault=one)
                for place, one in enumerate(read)
            ]
            return _json(Answers(answers=answers), HTTPStatus.OK)

        return await self._once(request, asking.answered_under, answer)

    async def submit(self, contents: Sequence[Inbound]) -> Sequence[ReceiptIssued]:
        """Take what came by a signed webhook."""
        documents = [Document(content, traceparent_or_new(None)) for content in contents]
        async with self._db.transaction() as tx:
            return await desk.receive(tx, documents, await postgres.now(tx))

    async def erase(self, source: str, subject_id: str) -> None:
        """Forget a person, whom a signed webhook names."""
        async with self._db.transaction() as tx:
            await erasure.erase(tx, source, subject_id, await postgres.now(tx))

    async def _once(
        self, request: Request, key: str | None, answer: Callable[[Tx], Awaitable[Response]]
    ) -> Response:
        """Answer, or replay what was answered to this key (IETF draft, Idempotency-Key)."""
        if key is None:
            async with self._db.transaction() as tx:
                return await answer(tx)
        place = request.url.path.encode()
        fingerprint = sha256(place + b"\n" + await request.body()).digest()
        try:
            async with self._db.transaction() as tx:
                kept = await store.answer_to(tx, key)
                if kept is not None and kept.fingerprint != fingerprint:
                    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, _OTHER_BODY)
                if kept is not None:
                    return Response(kept.body, kept.status, media_type="application/json")
                given = await answer(tx)
                body = bytes(given.body).decode()
                await store.keep_answer(tx, key, store.Kept(fingerprint, given.status_code, body))
                return given
        except store.InHand:
            busy = problem(HTTPStatus.CONFLICT, _IN_HAND)
            busy.headers["retry-after"] = "1"
            return busy


def _json(content: BaseModel, status: HTTPStatus) -> Response:
    return Response(to_json(content), status, media_type="application/json")


def _read(content: Any, traceparent: str, key: Key) -> Document | str:  # noqa: ANN401 - JSON is any
    """Read one of several; its fault comes back where it cannot be taken."""
    try:
        document = Document(INBOUND.validate_python(content), traceparent)
    except ValidationError as e:
        return describe(e)
    if not key.owns(document.content.source):
        return f"source: not one of {key.tenant}'s; send one that is"
    return document


async def _data_of(request: Request) -> list[Any]:
    """Read the data of CloudEvents 1.0 in structured, batched or binary mode."""
    try:
        content = read_json(await request.body() or None)
    except Poison as e:
        raise HTTPException(HTTPStatus.BAD_REQUEST, e.detail) from e
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    match media_type, content:
        case "application/cloudevents-batch+json", [*events] if len(events) <= _TOGETHER_MAX:
            return [_data(event) for event in events]
        case "application/cloudevents+json", event:
            return [_data(event)]
        case _ if "ce-specversion" in request.headers:
            return [_named(content, request.headers.get("ce-id"))]
        case _:
            raise HTTPException(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                f"send {_CLOUDEVENT}, {_CLOUDEVENTS} with up to {_TOGETHER_MAX} events, or JSON "
                "with ce-* headers",
            )


def _data(event: Any) -> Any:  # noqa: ANN401 - JSON is any
    if not isinstance(event, dict):
        return event
    return _named(event.get("data"), event.get("id"))


def _named(data: Any, event_id: Any) -> Any:  # noqa: ANN401 - JSON is any
    """Let a fact that has no id of its own bear that of its event."""
    if isinstance(data, dict) and "type" in data and isinstance(event_id, str):
        return {"event_id": event_id, **data}
    return data
