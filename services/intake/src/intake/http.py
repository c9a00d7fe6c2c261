"""Intake's door over HTTP: requests and later facts in, receipts that say what became of them."""

from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import FastAPI, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from intake import desk, store
from intake.desk import Document
from shared import postgres
from shared.api import make_api
from shared.errors import Poison
from shared.events import INBOUND, LaterFact, ReceiptIssued, SupportRequest
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

type Trace = Annotated[str | None, Header()]
type Key = Annotated[str | None, Header(alias="Idempotency-Key", pattern=_KEY)]


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


def make_app(db: Database, routes: list[BaseRoute]) -> FastAPI:
    """Build the app; ``routes`` are those that every service has."""
    app = make_api("intake", routes)
    door = _Door(db)

    @app.post("/v1/tickets", status_code=HTTPStatus.ACCEPTED, response_model=ReceiptIssued)
    async def take_request(
        request: Request, content: SupportRequest, traceparent: Trace = None, key: Key = None
    ) -> Response:
        return await door.one(request, Document(content, traceparent_or_new(traceparent)), key)

    @app.post("/v1/events", status_code=HTTPStatus.ACCEPTED, response_model=ReceiptIssued)
    async def take_fact(
        request: Request, content: LaterFact, traceparent: Trace = None, key: Key = None
    ) -> Response:
        return await door.one(request, Document(content, traceparent_or_new(traceparent)), key)

    @app.post("/v1/tickets:batch", response_model=Answers)
    async def take_requests(
        request: Request, batch: Batch, traceparent: Trace = None, key: Key = None
    ) -> Response:
        return await door.several(request, batch.tickets, traceparent, key)

    @app.post("/v1/cloudevents", response_model=Answers)
    async def take_cloudevents(
        request: Request, traceparent: Trace = None, key: Key = None
    ) -> Response:
        return await door.several(request, await _data_of(request), traceparent, key)

    @app.get("/v1/receipts/{source}/{external_id:path}", response_model=ReceiptIssued)
    async def receipt(source: str, external_id: str) -> Response:
        async with db.transaction() as tx:
            found = await store.receipt(tx, source, external_id)
        if found is None:
            raise HTTPException(
                HTTPStatus.NOT_FOUND, f"no request {external_id!r} has come from {source!r}"
            )
        return Response(found, media_type="application/json")

    @app.get("/v1/tickets/{ticket_id}")
    async def ticket(ticket_id: UUID) -> dict[str, Any]:
        async with db.transaction() as tx:
            found = await store.ticket(tx, ticket_id)
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no ticket {ticket_id}")
        return found

    return app


class _Door:
    """Takes documents in one transaction with their answer, which an Idempotency-Key replays."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def one(self, request: Request, document: Document, key: str | None) -> Response:
        """Answer one document."""

        async def answer(tx: Tx) -> Response:
            (receipt,) = await desk.receive(tx, [document], await postgres.now(tx))
            is_new = receipt.outcome in ("accepted", "held")
            return _json(receipt, HTTPStatus.ACCEPTED if is_new else HTTPStatus.OK)

        return await self._once(request, key, answer)

    async def several(
        self, request: Request, contents: Sequence[Any], traceparent: str | None, key: str | None
    ) -> Response:
        """Answer each of several; a bad one does not harm its neighbours."""
        read = [_read(content, traceparent_or_new(traceparent)) for content in contents]
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

        return await self._once(request, key, answer)

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


def _read(content: Any, traceparent: str) -> Document | str:  # noqa: ANN401 - JSON is any
    try:
        return Document(INBOUND.validate_python(content), traceparent)
    except ValidationError as e:
        return describe(e)


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
