"""Intake's door over HTTP: requests and later facts in, answers that say what became of them."""

from http import HTTPStatus
from typing import Any, Literal
from uuid import UUID

from fastapi import FastAPI, Header
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from intake import domain, store
from intake.access import Access, Guard, Reader, Writer, check_source
from intake.handlers import Document, take
from shared import inbox
from shared.api import make_api
from shared.events import LaterFact, SupportRequest
from shared.postgres import Database, Tx
from shared.promises import Promise, Severity
from shared.tracing import traceparent_or_new

__all__ = ["Answer", "Promised", "make_app"]


type Outcome = Literal["accepted", "duplicate"]


class Answer(BaseModel):
    """What became of a document: taken now, or known already."""

    outcome: Outcome
    ticket_id: UUID


class Promised(Answer):
    """The same for a request, with what the customer was promised when it was taken.

    ``no_promise`` is the reason where nothing is promised.
    """

    severity: Severity
    missing: tuple[str, ...]
    promises: tuple[Promise, ...]
    no_promise: str | None


def make_app(db: Database, routes: list[BaseRoute], access: Access) -> FastAPI:
    """Build the app; ``routes`` are those that every service has, and open to all."""
    app = make_api("intake", routes, [Middleware(Guard, access=access)])

    @app.post("/v1/tickets", status_code=HTTPStatus.ACCEPTED)
    async def take_request(
        request: SupportRequest,
        response: Response,
        key: Writer,
        traceparent: str | None = Header(None),
    ) -> Promised:
        check_source(key, request.source)
        document = Document(request, traceparent_or_new(traceparent))
        async with db.transaction() as tx:
            outcome = await _take(tx, document, response)
            kept = await store.ticket(tx, request.ticket_id)
        return Promised.model_validate(
            {**(kept or {}), "outcome": outcome, "missing": domain.missing_in(request)}
        )

    @app.post("/v1/events", status_code=HTTPStatus.ACCEPTED)
    async def take_fact(
        fact: LaterFact, response: Response, key: Writer, traceparent: str | None = Header(None)
    ) -> Answer:
        check_source(key, fact.source)
        async with db.transaction() as tx:
            document = Document(fact, traceparent_or_new(traceparent))
            outcome = await _take(tx, document, response)
        return Answer(outcome=outcome, ticket_id=fact.ticket_id)

    @app.get("/v1/tickets/{ticket_id}")
    async def ticket(ticket_id: UUID, key: Reader) -> dict[str, Any]:
        async with db.transaction() as tx:
            found = await store.ticket(tx, ticket_id)
        if found is None or not key.owns(found["source"]):
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no ticket {ticket_id}")
        return found

    return app


async def _take(tx: Tx, document: Document, response: Response) -> Outcome:
    fresh, now = await inbox.claim(tx, [document.id])
    if fresh:
        await take(tx, [document], now)
        return "accepted"
    response.status_code = HTTPStatus.OK
    return "duplicate"
