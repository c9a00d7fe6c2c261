"""Intake's HTTP API: accepts requests and later facts, and returns receipts and tickets."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import ValidationError
from pydantic_core import from_json, to_json
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from intake import cloudevents, erasure, service
from intake.api import admin, webhooks
from intake.api.auth import DetailsReader, Eraser, Reader, check_source
from intake.api.request_context import RequestContext, RequestContextDep
from intake.api.schemas import (
    CLOUDEVENT_BODY,
    Answer,
    Answers,
    Batch,
    Details,
    Erased,
    TicketPromises,
)
from intake.cloudevents import ReceivedEvent
from intake.domain import NumberKeys
from intake.idempotency import (
    IdempotencyKey,
    RequestBatcher,
    StatusAndBody,
    StoredResponse,
    Submission,
    WriteResponse,
)
from intake.service import Document
from intake.store import queries
from intake.webhooks import Secrets
from shared.basics.errors import Poison
from shared.basics.tracing import context_or_new
from shared.events import INBOUND, Inbound, LaterFact, ReceiptIssued, SupportRequest
from shared.events.codec import describe
from shared.platform import postgres
from shared.platform.access import Authenticator, Guard
from shared.platform.admin import admin_routes
from shared.platform.api import IDEMPOTENCY_KEY, TicketId, make_api, problems
from shared.platform.http import problem
from shared.platform.limits import DEFAULT_LIMITS, Limits
from shared.platform.postgres import Database

__all__ = ["Dependencies", "make_app"]

_IN_PROGRESS: Final = (
    "the first request with this Idempotency-Key is still in progress; send it again later"
)
_EVENTS: Final = "/v1/cloudevents"
_SIGNED: Final = "/v1/webhooks/"
_UNAUTHENTICATED_SHARE: Final = 4
"""At most a quarter of the requests in progress may have no API key."""
_OTHER_BODY: Final = (
    "this Idempotency-Key was used with another body; send a new key, or the first body"
)

_ANSWERED: Final = problems(
    {
        HTTPStatus.CONFLICT: "The first request with this Idempotency-Key is still in progress.",
        HTTPStatus.FORBIDDEN: "The API key may not send, or not for this source.",
    }
)
_ONE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": ReceiptIssued, "description": "A duplicate, or a request that is rejected."},
}
_TAKEN: Final[dict[int | str, dict[str, Any]]] = {
    202: {
        "headers": {
            "Location": {
                "description": "Where to read its receipt later.",
                "schema": {"type": "string", "format": "uri-reference"},
            }
        }
    }
}
_ONE_OR_BATCH: Final = "A duplicate, or a request that is rejected; or the answers to a batch."


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the endpoints use."""

    db: Database
    access: Authenticator
    secrets: Secrets
    batcher: RequestBatcher
    keys: NumberKeys


def make_app(
    used: Dependencies, routes: list[BaseRoute], limits: Limits = DEFAULT_LIMITS
) -> FastAPI:
    """Build the app; ``routes`` are the operations of every service, which need no API key."""
    unauthenticated_max = max(1, limits.requests_max // _UNAUTHENTICATED_SHARE)
    guard = Middleware(
        Guard, access=used.access, signed=_SIGNED, unauthenticated_max=unauthenticated_max
    )
    app = make_api("intake", routes, [guard], limits, (_EVENTS, _SIGNED))
    endpoints = _DocumentEndpoints(used.db, used.batcher, used.keys)
    _add_requests(app, endpoints)
    _add_batches(app, endpoints)
    _add_answers(app, used.db)
    app.include_router(webhooks.routes(used.db, used.secrets, endpoints.submit, endpoints.erase))
    app.include_router(admin.routes(used.db))
    app.include_router(admin_routes("intake", used.db))
    return app


def _add_requests(app: FastAPI, endpoints: "_DocumentEndpoints") -> None:
    @app.post(
        "/v1/tickets",
        status_code=HTTPStatus.ACCEPTED,
        response_model=ReceiptIssued,
        responses=_ANSWERED | _TAKEN | _ONE,
    )
    async def take_request(content: SupportRequest, context: RequestContextDep) -> Response:
        """Accept a support request; the receipt has its promises, or why it was rejected."""
        return await endpoints.answer_one(content, context)

    @app.post(
        "/v1/events",
        status_code=HTTPStatus.ACCEPTED,
        response_model=ReceiptIssued,
        responses=_ANSWERED | _TAKEN | _ONE,
    )
    async def take_fact(content: LaterFact, context: RequestContextDep) -> Response:
        """Accept a later fact about a request, which may be sent before or after it."""
        return await endpoints.answer_one(content, context)


def _add_batches(app: FastAPI, endpoints: "_DocumentEndpoints") -> None:
    @app.post("/v1/tickets:batch", response_model=Answers, responses=_ANSWERED)
    async def take_requests(batch: Batch, context: RequestContextDep) -> Response:
        """Accept up to 100 requests; each is answered on its own, by its position."""
        events = [ReceivedEvent(ticket, None) for ticket in batch.tickets]
        return await endpoints.answer_batch(events, context)

    @app.post(
        _EVENTS,
        status_code=HTTPStatus.ACCEPTED,
        response_model=ReceiptIssued,
        responses=_ANSWERED
        | _TAKEN
        | {200: {"model": ReceiptIssued | Answers, "description": _ONE_OR_BATCH}},
        openapi_extra=CLOUDEVENT_BODY,
    )
    async def take_cloudevents(request: Request, context: RequestContextDep) -> Response:
        """Accept requests and later facts as CloudEvents 1.0: structured, batched or binary.

        A single event is answered as by `/v1/tickets` or `/v1/events`, a batch by an answer to
        each event.
        """
        match await cloudevents.read(request):
            case ReceivedEvent(content, trace):
                document = _valid(content, "data" if "ce-id" not in request.headers else "")
                return await endpoints.answer_one(document, context, trace)
            case cloudevents.Batch(events):
                return await endpoints.answer_batch(events, context)


def _add_answers(app: FastAPI, db: Database) -> None:
    @app.get(
        "/v1/receipts/{source}/{external_id:path}",
        response_model=ReceiptIssued,
        responses=problems({HTTPStatus.NOT_FOUND: "This source has sent no such request."}),
    )
    async def read_receipt(source: str, external_id: str, key: Reader) -> Response:
        """Read the last receipt of a request."""
        async with db.transaction() as tx:
            found = await queries.receipt(tx, source, external_id) if key.owns(source) else None
        if found is None:
            raise HTTPException(
                HTTPStatus.NOT_FOUND, f"{source!r} has sent no request {external_id!r}"
            )
        return Response(found, media_type="application/json")

    @app.get(
        "/v1/tickets/{ticket_id}",
        responses=problems({HTTPStatus.NOT_FOUND: "There is no such ticket."}),
    )
    async def read_ticket(ticket_id: TicketId, key: Reader) -> TicketPromises:
        """Read a ticket with its promises and their current due times."""
        async with db.transaction() as tx:
            found = await queries.ticket(tx, ticket_id)
        if found is None or not key.owns(found["source"]):
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no ticket {ticket_id}")
        return TicketPromises.model_validate(found)

    @app.get(
        "/v1/tickets/{ticket_id}/details",
        responses=problems({HTTPStatus.NOT_FOUND: "There is no such ticket."}),
    )
    async def read_details(ticket_id: TicketId, key: DetailsReader) -> Details:
        """Read the customer's texts; each reading is recorded, with the key that was used."""
        async with db.transaction() as tx:
            found = await queries.details(tx, ticket_id)
            if found is None or not key.owns(found["source"]):
                raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no ticket {ticket_id}")
            await queries.note_reading(tx, ticket_id, key.tenant, key.prefix)
        return Details.model_validate(found)

    @app.delete("/v1/subjects/{source}/{subject_id:path}")
    async def erase_subject(source: str, subject_id: str, key: Eraser) -> Erased:
        """Erase a requester's data in one transaction; this ends the promises of their tickets."""
        check_source(key, source)
        async with db.transaction() as tx:
            return Erased(
                tickets=await erasure.erase(tx, source, subject_id, await postgres.now(tx))
            )


class _DocumentEndpoints:
    """Submits documents to the batcher, and makes the responses."""

    def __init__(self, db: Database, batcher: RequestBatcher, keys: NumberKeys) -> None:
        self._db = db
        self._batcher = batcher
        self._keys = keys

    async def answer_one(
        self, content: Inbound, context: RequestContext, trace: str | None = None
    ) -> Response:
        """Answer one document; an event may have a ``trace`` of its own."""
        check_source(context.key, content.source)
        return await self._answer(
            [Document(content, trace or context.traceparent)], context, _write_one
        )

    async def answer_batch(
        self, events: Sequence[ReceivedEvent | Poison], context: RequestContext
    ) -> Response:
        """Answer each document of a batch; an invalid one does not affect the others."""
        read = [_read(event, context) for event in events]
        documents = [one for one in read if isinstance(one, Document)]

        def write(issued: Sequence[ReceiptIssued]) -> StatusAndBody:
            receipts = iter(issued)
            answers = [
                _answer_of(position, next(receipts))
                if isinstance(one, Document)
                else Answer(position=position, fault=one)
                for position, one in enumerate(read)
            ]
            return HTTPStatus.OK.value, to_json(Answers(answers=answers)).decode()

        return await self._answer(documents, context, write)

    async def submit(self, contents: Sequence[Inbound]) -> Sequence[ReceiptIssued]:
        """Receive the documents of a signed webhook."""
        documents = [Document(content, context_or_new(None)) for content in contents]
        async with self._db.transaction() as tx:
            return await service.receive(tx, documents, self._keys)

    async def erase(self, source: str, subject_id: str) -> None:
        """Erase the data of a requester named by a signed webhook."""
        async with self._db.transaction() as tx:
            await erasure.erase(tx, source, subject_id, await postgres.now(tx))

    async def _answer(
        self, documents: Sequence[Document], context: RequestContext, write: WriteResponse
    ) -> Response:
        key = None
        if context.idempotency_key_hash is not None:
            key = IdempotencyKey(context.idempotency_key_hash, context.fingerprint, write)
        match await self._batcher.submit(Submission(documents, key)):
            case "in_progress":
                busy = problem(HTTPStatus.CONFLICT, _IN_PROGRESS)
                busy.headers["retry-after"] = "1"
                return busy
            case "other_body":
                return problem(
                    HTTPStatus.UNPROCESSABLE_ENTITY, _OTHER_BODY, {IDEMPOTENCY_KEY: _OTHER_BODY}
                )
            case StoredResponse(_, status, body):
                return _json(status, body)
            case receipts if (written := write(receipts)) is not None:
                return _json(*written)
            case receipts:
                raise _bad_field(receipts[0])


def _answer_of(position: int, receipt: ReceiptIssued) -> Answer:
    if receipt.reason == "bad_data":
        return Answer(position=position, fault=receipt.remedy)
    return Answer(position=position, receipt=receipt)


def _write_one(receipts: Sequence[ReceiptIssued]) -> StatusAndBody | None:
    (receipt,) = receipts
    if receipt.reason == "bad_data":
        return None
    is_new = receipt.outcome in ("accepted", "held")
    status = HTTPStatus.ACCEPTED if is_new else HTTPStatus.OK
    return status.value, to_json(receipt).decode()


def _json(status: int, body: str) -> Response:
    """Make a JSON response; 202 has the location of the receipt."""
    headers = {}
    if status == HTTPStatus.ACCEPTED:
        receipt = from_json(body)
        path = (quote(receipt[name], safe="") for name in ("source", "external_id"))
        headers["location"] = f"/v1/receipts/{'/'.join(path)}"
    return Response(body, status, headers, media_type="application/json")


def _read(event: ReceivedEvent | Poison, context: RequestContext) -> Document | str:
    """Read one document of a batch; return its fault when it is invalid."""
    if isinstance(event, Poison):
        return event.detail
    try:
        content = INBOUND.validate_python(event.content)
    except ValidationError as e:
        return describe(e)
    if not context.key.owns(content.source):
        return f"source: does not belong to {context.key.tenant}; send one that does"
    return Document(content, event.traceparent or context.traceparent)


def _valid(content: Any, location: str) -> Inbound:  # noqa: ANN401 - JSON is any
    """Read a single document, found at a ``location`` in the body.

    Raises:
        RequestValidationError: It is invalid; the error names each bad field.
    """
    try:
        return INBOUND.validate_python(content)
    except ValidationError as e:
        where = ("body", location) if location else ("body",)
        faults = e.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError(
            [{**fault, "loc": (*where, *fault["loc"][1:])} for fault in faults]
        ) from e


def _bad_field(receipt: ReceiptIssued) -> RequestValidationError:
    field, _, fault = (receipt.remedy or "").partition(": ")
    return RequestValidationError([{"type": "value_error", "loc": ("body", field), "msg": fault}])
