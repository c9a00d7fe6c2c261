"""Intake's HTTP API: accepts requests and later facts, and returns receipts and tickets."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from intake import cloudevents
from intake.api import admin, webhooks
from intake.api.auth import DetailsReader, Eraser, Reader, Writer, check_source
from intake.api.schemas import (
    CLOUDEVENT_BODY,
    Answer,
    Answers,
    Batch,
    Details,
    TicketPromises,
)
from intake.cloudevents import ReceivedEvent
from intake.service import Document
from intake.store import queries
from intake.submissions import (
    EntryOutcome,
    Erased,
    ErasureOf,
    Refused,
    Submission,
    Submissions,
)
from intake.webhooks import Secrets
from shared.basics.errors import Poison
from shared.events import INBOUND, Inbound, LaterFact, ReceiptIssued, SupportRequest
from shared.events.codec import describe
from shared.platform.access import Authenticator, Guard, Key
from shared.platform.admin import admin_routes
from shared.platform.api import TicketId, make_api, problems
from shared.platform.limits import DEFAULT_LIMITS, Limits
from shared.platform.postgres import Database
from shared.platform.request_context import RequestContext, RequestContextDep

__all__ = ["Dependencies", "make_app"]

_EVENTS: Final = "/v1/cloudevents"
_SIGNED: Final = "/v1/webhooks/"
_UNAUTHENTICATED_SHARE: Final = 4
"""At most a quarter of the requests in progress may have no API key."""
_ANSWERED: Final = problems(
    {HTTPStatus.FORBIDDEN: "The API key may not send, or not for this source."}
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
_DOCUMENTS: Final[Sequence[tuple[str, str, type[Inbound], str]]] = (
    (
        "/v1/tickets",
        "take_request",
        SupportRequest,
        "Accept a support request; the receipt has its promises, or why it was rejected.",
    ),
    (
        "/v1/events",
        "take_fact",
        LaterFact,
        "Accept a later fact about a request, which may be sent before or after it.",
    ),
)
"""Path, name, body and description of the endpoints for one document."""
_ONE_OR_BATCH: Final = "A duplicate, or a request that is rejected; or the answers to a batch."


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the endpoints use."""

    db: Database
    access: Authenticator
    secrets: Secrets
    submissions: Submissions


def make_app(
    used: Dependencies, routes: list[BaseRoute], limits: Limits = DEFAULT_LIMITS
) -> FastAPI:
    """Build the app; ``routes`` are those that every service has, and need no API key."""
    unauthenticated_max = max(1, limits.requests_max // _UNAUTHENTICATED_SHARE)
    guard = Middleware(
        Guard, access=used.access, signed=_SIGNED, unauthenticated_max=unauthenticated_max
    )
    app = make_api("intake", routes, [guard], limits, (_EVENTS, _SIGNED))
    _add_documents(app, used.submissions)
    _add_batches(app, used.submissions)
    _add_answers(app, used.db)
    _add_erasure(app, used.submissions)
    app.include_router(webhooks.routes(used.db, used.secrets, used.submissions.outcomes))
    app.include_router(admin.routes(used.db))
    app.include_router(admin_routes("intake", used.db))
    return app


def _add_documents(app: FastAPI, submissions: Submissions) -> None:
    for path, name, kind, description in _DOCUMENTS:

        async def take(content: Inbound, key: Writer, context: RequestContextDep) -> Response:
            return await _answer_one(submissions, content, key, context)

        take.__annotations__["content"] = kind
        app.post(
            path,
            name=name,
            description=description,
            status_code=HTTPStatus.ACCEPTED,
            response_model=ReceiptIssued,
            responses=_ANSWERED | _TAKEN | _ONE,
        )(take)


def _add_batches(app: FastAPI, submissions: Submissions) -> None:
    @app.post("/v1/tickets:batch", response_model=Answers, responses=_ANSWERED)
    async def take_requests(batch: Batch, key: Writer, context: RequestContextDep) -> Response:
        """Accept up to 100 requests; each is answered on its own, by its position in the batch."""
        events = [ReceivedEvent(ticket, None) for ticket in batch.tickets]
        return await _answer_batch(submissions, events, key, context)

    @app.post(
        _EVENTS,
        status_code=HTTPStatus.ACCEPTED,
        response_model=ReceiptIssued,
        responses=_ANSWERED
        | _TAKEN
        | {200: {"model": ReceiptIssued | Answers, "description": _ONE_OR_BATCH}},
        openapi_extra=CLOUDEVENT_BODY,
    )
    async def take_cloudevents(
        request: Request, key: Writer, context: RequestContextDep
    ) -> Response:
        """Accept requests and later facts as CloudEvents 1.0: structured, batched or binary.

        A single event is answered as by `/v1/tickets` or `/v1/events`, a batch by an answer to
        each event.
        """
        match await cloudevents.read(request):
            case ReceivedEvent(content, trace):
                document = _valid(content, "data" if "ce-id" not in request.headers else "")
                return await _answer_one(submissions, document, key, context, trace)
            case cloudevents.Batch(events):
                return await _answer_batch(submissions, events, key, context)


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


def _add_erasure(app: FastAPI, submissions: Submissions) -> None:
    @app.delete("/v1/subjects/{source}/{subject_id:path}", response_model=Erased)
    async def erase_subject(
        source: str, subject_id: str, key: Eraser, context: RequestContextDep
    ) -> Response:
        """Erase a requester's data in one transaction; this ends the promises of their tickets."""
        check_source(key, source)
        submission = Submission([ErasureOf(source, subject_id)], context.key)
        [outcome] = await submissions.outcomes(submission)
        return _json(outcome)


async def _answer_one(
    submissions: Submissions,
    content: Inbound,
    key: Key,
    context: RequestContext,
    trace: str | None = None,
) -> Response:
    """Submit one document, and answer it; an event may have a ``trace`` of its own."""
    check_source(key, content.source)
    document = Document(content, trace or context.traceparent)
    [outcome] = await submissions.outcomes(Submission([document], context.key))
    if isinstance(outcome, Refused):
        raise _bad_field(outcome.fault)
    if not isinstance(outcome, ReceiptIssued) or outcome.outcome not in {"accepted", "held"}:
        return _json(outcome)
    path = "/".join(quote(part, safe="") for part in (outcome.source, outcome.external_id))
    return _json(outcome, HTTPStatus.ACCEPTED, {"location": f"/v1/receipts/{path}"})


async def _answer_batch(
    submissions: Submissions,
    events: Sequence[ReceivedEvent | Poison],
    key: Key,
    context: RequestContext,
) -> Response:
    """Submit a batch, and answer each document; an invalid one does not affect the others."""
    entries = [_read(event, key, context) for event in events]
    outcomes = await submissions.outcomes(Submission(entries, context.key))
    return _json(Answers(answers=[_answer_of(n, outcome) for n, outcome in enumerate(outcomes)]))


def _answer_of(position: int, outcome: EntryOutcome) -> Answer:
    if isinstance(outcome, Refused):
        return Answer(position=position, fault=outcome.fault)
    assert isinstance(outcome, ReceiptIssued)  # noqa: S101 - a batch erases nothing
    return Answer(position=position, receipt=outcome)


def _json(
    content: BaseModel, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    return Response(to_json(content), status.value, headers, media_type="application/json")


def _read(event: ReceivedEvent | Poison, key: Key, context: RequestContext) -> Document | Refused:
    """Read one document of a batch; refuse it when it is invalid."""
    if isinstance(event, Poison):
        return Refused(fault=event.detail)
    try:
        content = INBOUND.validate_python(event.content)
    except ValidationError as e:
        return Refused(fault=describe(e))
    if not key.owns(content.source):
        return Refused(fault=f"source: does not belong to {key.tenant}; send one that does")
    return Document(content, event.traceparent or context.traceparent)


def _valid(content: Any, location: str) -> Inbound:  # noqa: ANN401 - JSON is any
    """Validate a single document; ``location`` is where it is in the body, "" for the whole body.

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


def _bad_field(named: str) -> RequestValidationError:
    field, _, fault = named.partition(": ")
    return RequestValidationError([{"type": "value_error", "loc": ("body", field), "msg": fault}])
