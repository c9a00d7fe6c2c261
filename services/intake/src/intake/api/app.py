"""Intake's door over HTTP: requests and later facts in, receipts that say what became of them."""

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
from intake.api import webhooks
from intake.api.asker import Asker, Asks
from intake.api.auth import Confidant, Eraser, Reader, check_source
from intake.api.schemas import (
    CLOUDEVENT_BODY,
    Answer,
    Answers,
    Batch,
    Details,
    Erased,
    TicketPromises,
)
from intake.cloudevents import Sent
from intake.domain import NumberKeys
from intake.idempotency import Asking, Kept, Keyed, Reception, Write, Written
from intake.service import Document
from intake.store import queries
from intake.webhooks import Secrets
from shared.basics.errors import Poison
from shared.basics.tracing import context_or_new
from shared.events import INBOUND, Inbound, LaterFact, ReceiptIssued, SupportRequest
from shared.events.codec import describe
from shared.platform import postgres
from shared.platform.access import Authenticator, Guard
from shared.platform.api import IDEMPOTENCY_KEY, TicketId, make_api, problems
from shared.platform.http import problem
from shared.platform.limits import DEFAULT_LIMITS, Limits
from shared.platform.postgres import Database

__all__ = ["Parts", "make_app"]

_IN_HAND: Final = "the first request with this Idempotency-Key is still in hand; ask again"
_EVENTS: Final = "/v1/cloudevents"
_SIGNED: Final = "/v1/webhooks/"
_STRANGERS_SHARE: Final = 4
"""Of all requests in hand at most a quarter have no key."""
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
    200: {"model": ReceiptIssued, "description": "It came before, or it is no premium request."},
}
_TAKEN: Final[dict[int | str, dict[str, Any]]] = {
    202: {
        "headers": {
            "Location": {
                "description": "Where to read what becomes of it.",
                "schema": {"type": "string", "format": "uri-reference"},
            }
        }
    }
}
_ONE_OR_BATCH: Final = "One that came before, or is no premium request; or the answers to a batch"


@dataclass(frozen=True, slots=True)
class Parts:
    """What the doors lead to."""

    db: Database
    access: Authenticator
    secrets: Secrets
    reception: Reception
    keys: NumberKeys


def make_app(parts: Parts, routes: list[BaseRoute], limits: Limits = DEFAULT_LIMITS) -> FastAPI:
    """Build the app; ``routes`` are those that every service has, and open to all."""
    unauthenticated_max = max(1, limits.requests_max // _STRANGERS_SHARE)
    guard = Middleware(
        Guard, access=parts.access, signed=_SIGNED, unauthenticated_max=unauthenticated_max
    )
    app = make_api("intake", routes, [guard], limits, (_EVENTS, _SIGNED))
    door = _Door(parts.db, parts.reception, parts.keys)
    _add_requests(app, door)
    _add_batches(app, door)
    _add_answers(app, parts.db)
    app.include_router(webhooks.routes(parts.db, parts.secrets, door.submit, door.erase))
    return app


def _add_requests(app: FastAPI, door: "_Door") -> None:
    @app.post(
        "/v1/tickets",
        status_code=HTTPStatus.ACCEPTED,
        response_model=ReceiptIssued,
        responses=_ANSWERED | _TAKEN | _ONE,
    )
    async def take_request(content: SupportRequest, asker: Asks) -> Response:
        """Take a support request, and answer what was promised or why nothing is."""
        return await door.one(content, asker)

    @app.post(
        "/v1/events",
        status_code=HTTPStatus.ACCEPTED,
        response_model=ReceiptIssued,
        responses=_ANSWERED | _TAKEN | _ONE,
    )
    async def take_fact(content: LaterFact, asker: Asks) -> Response:
        """Take a later fact about a request that was, or will be, sent."""
        return await door.one(content, asker)


def _add_batches(app: FastAPI, door: "_Door") -> None:
    @app.post("/v1/tickets:batch", response_model=Answers, responses=_ANSWERED)
    async def take_requests(batch: Batch, asker: Asks) -> Response:
        """Take up to 100 requests, each answered on its own, by its position."""
        return await door.several([Sent(ticket, None) for ticket in batch.tickets], asker)

    @app.post(
        _EVENTS,
        status_code=HTTPStatus.ACCEPTED,
        response_model=ReceiptIssued,
        responses=_ANSWERED
        | _TAKEN
        | {200: {"model": ReceiptIssued | Answers, "description": _ONE_OR_BATCH}},
        openapi_extra=CLOUDEVENT_BODY,
    )
    async def take_cloudevents(request: Request, asker: Asks) -> Response:
        """Take requests and later facts as CloudEvents 1.0: structured, batched or binary.

        One alone is answered as by `/v1/tickets` or `/v1/events`, several by an answer for each.
        """
        match await cloudevents.read(request):
            case Sent(content, trace):
                document = _valid(content, "data" if "ce-id" not in request.headers else "")
                return await door.one(document, asker, trace)
            case cloudevents.Batch(events):
                return await door.several(events, asker)


def _add_answers(app: FastAPI, db: Database) -> None:
    @app.get(
        "/v1/receipts/{source}/{external_id:path}",
        response_model=ReceiptIssued,
        responses=problems({HTTPStatus.NOT_FOUND: "No such request has come from this source."}),
    )
    async def read_receipt(source: str, external_id: str, key: Reader) -> Response:
        """Read what was answered to a request last."""
        async with db.transaction() as tx:
            found = await queries.receipt(tx, source, external_id) if key.owns(source) else None
        if found is None:
            raise HTTPException(
                HTTPStatus.NOT_FOUND, f"no request {external_id!r} has come from {source!r}"
            )
        return Response(found, media_type="application/json")

    @app.get(
        "/v1/tickets/{ticket_id}",
        responses=problems({HTTPStatus.NOT_FOUND: "There is no such ticket."}),
    )
    async def read_ticket(ticket_id: TicketId, key: Reader) -> TicketPromises:
        """Read what was accepted and promised."""
        async with db.transaction() as tx:
            found = await queries.ticket(tx, ticket_id)
        if found is None or not key.owns(found["source"]):
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no ticket {ticket_id}")
        return TicketPromises.model_validate(found)

    @app.get(
        "/v1/tickets/{ticket_id}/details",
        responses=problems({HTTPStatus.NOT_FOUND: "There is no such ticket."}),
    )
    async def read_details(ticket_id: TicketId, key: Confidant) -> Details:
        """Read what the customer wrote; that it was read, and by whom, is kept."""
        async with db.transaction() as tx:
            found = await queries.details(tx, ticket_id)
            if found is None or not key.owns(found["source"]):
                raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no ticket {ticket_id}")
            await queries.note_reading(tx, ticket_id, key.tenant, key.prefix)
        return Details.model_validate(found)

    @app.delete("/v1/subjects/{source}/{subject_id:path}")
    async def erase_subject(source: str, subject_id: str, key: Eraser) -> Erased:
        """Forget what a person wrote, in one transaction; nothing is owed to them any more."""
        check_source(key, source)
        async with db.transaction() as tx:
            return Erased(
                tickets=await erasure.erase(tx, source, subject_id, await postgres.now(tx))
            )


class _Door:
    """Hands documents to the reception; writes what is answered."""

    def __init__(self, db: Database, reception: Reception, keys: NumberKeys) -> None:
        self._db = db
        self._reception = reception
        self._keys = keys

    async def one(self, content: Inbound, asker: Asker, trace: str | None = None) -> Response:
        """Answer one document; an event may belong to a ``trace`` of its own."""
        check_source(asker.key, content.source)
        return await self._answer(
            [Document(content, trace or asker.traceparent)], asker, _write_one
        )

    async def several(self, events: Sequence[Sent | Poison], asker: Asker) -> Response:
        """Answer each of several; a bad one does not harm its neighbours."""
        read = [_read(event, asker) for event in events]
        documents = [one for one in read if isinstance(one, Document)]

        def write(given: Sequence[ReceiptIssued]) -> Written:
            receipts = iter(given)
            answers = [
                _told(place, next(receipts))
                if isinstance(one, Document)
                else Answer(position=place, fault=one)
                for place, one in enumerate(read)
            ]
            return HTTPStatus.OK.value, to_json(Answers(answers=answers)).decode()

        return await self._answer(documents, asker, write)

    async def submit(self, contents: Sequence[Inbound]) -> Sequence[ReceiptIssued]:
        """Take what came by a signed webhook."""
        documents = [Document(content, context_or_new(None)) for content in contents]
        async with self._db.transaction() as tx:
            return await service.receive(tx, documents, self._keys)

    async def erase(self, source: str, subject_id: str) -> None:
        """Forget a person, whom a signed webhook names."""
        async with self._db.transaction() as tx:
            await erasure.erase(tx, source, subject_id, await postgres.now(tx))

    async def _answer(self, documents: Sequence[Document], asker: Asker, write: Write) -> Response:
        digest = asker.idempotency_key_hash
        keyed = None if digest is None else Keyed(digest, asker.fingerprint, write)
        match await self._reception.ask(Asking(documents, keyed)):
            case "in_hand":
                busy = problem(HTTPStatus.CONFLICT, _IN_HAND)
                busy.headers["retry-after"] = "1"
                return busy
            case "other_body":
                return problem(
                    HTTPStatus.UNPROCESSABLE_ENTITY, _OTHER_BODY, {IDEMPOTENCY_KEY: _OTHER_BODY}
                )
            case Kept(_, status, body):
                return _json(status, body)
            case receipts if (written := write(receipts)) is not None:
                return _json(*written)
            case receipts:
                raise _bad_field(receipts[0])


def _told(place: int, receipt: ReceiptIssued) -> Answer:
    if receipt.reason == "bad_data":
        return Answer(position=place, fault=receipt.remedy)
    return Answer(position=place, receipt=receipt)


def _write_one(receipts: Sequence[ReceiptIssued]) -> Written | None:
    (receipt,) = receipts
    if receipt.reason == "bad_data":
        return None
    is_new = receipt.outcome in ("accepted", "held")
    status = HTTPStatus.ACCEPTED if is_new else HTTPStatus.OK
    return status.value, to_json(receipt).decode()


def _json(status: int, body: str) -> Response:
    """Answer; who is told 202 is told where what becomes of it can be read."""
    headers = {}
    if status == HTTPStatus.ACCEPTED:
        receipt = from_json(body)
        place = (quote(receipt[name], safe="") for name in ("source", "external_id"))
        headers["location"] = f"/v1/receipts/{'/'.join(place)}"
    return Response(body, status, headers, media_type="application/json")


def _read(event: Sent | Poison, asker: Asker) -> Document | str:
    """Read one of several; its fault comes back where it cannot be taken."""
    if isinstance(event, Poison):
        return event.detail
    try:
        content = INBOUND.validate_python(event.content)
    except ValidationError as e:
        return describe(e)
    if not asker.key.owns(content.source):
        return f"source: not one of {asker.key.tenant}'s; send one that is"
    return Document(content, event.traceparent or asker.traceparent)


def _valid(content: Any, place: str) -> Inbound:  # noqa: ANN401 - JSON is any
    """Read a document that came alone, at a ``place`` in the body.

    Raises RequestValidationError, which names each bad field.
    """
    try:
        return INBOUND.validate_python(content)
    except ValidationError as e:
        where = ("body", place) if place else ("body",)
        faults = e.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError(
            [{**fault, "loc": (*where, *fault["loc"][1:])} for fault in faults]
        ) from e


def _bad_field(receipt: ReceiptIssued) -> RequestValidationError:
    field, _, fault = (receipt.remedy or "").partition(": ")
    return RequestValidationError([{"type": "value_error", "loc": ("body", field), "msg": fault}])
