"""Router's door over HTTP: a specialist gives a ticket back, a team lead sees queue and load."""

from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import FastAPI, Header
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from router import handlers, store
from router.domain import Decline, NotTheirs, Unknown
from shared.api import make_api
from shared.postgres import Database, now
from shared.tracing import traceparent_or_new

__all__ = ["Declined", "Wish", "make_app"]


class Wish(BaseModel):
    """Why which specialist gives a ticket back. The reason is published: a few plain words."""

    model_config = ConfigDict(extra="forbid")

    specialist_id: Annotated[str, Field(min_length=1, max_length=100)]
    reason: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]


class Declined(BaseModel):
    """What became of the ticket: somebody has it, or it waits with its original age."""

    outcome: Literal["assigned", "waiting"]
    ticket_id: UUID
    specialist_id: str | None


def make_app(db: Database, routes: list[BaseRoute]) -> FastAPI:
    """Build the app; ``routes`` are those that every service has."""
    app = make_api("router", routes)

    @app.post("/v1/tickets/{ticket_id}/decline")
    async def decline(
        ticket_id: UUID, wish: Wish, traceparent: str | None = Header(None)
    ) -> Declined:
        trace = traceparent_or_new(traceparent)
        declined = Decline(ticket_id, wish.specialist_id, wish.reason, trace)
        try:
            async with db.transaction() as tx:
                ticket = await handlers.decline(tx, declined, await now(tx))
        except Unknown as e:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no ticket {ticket_id}") from e
        except NotTheirs as e:
            detail = f"{wish.specialist_id} does not have this ticket: someone was faster"
            raise HTTPException(HTTPStatus.CONFLICT, detail) from e
        return Declined(
            outcome="waiting" if ticket.waits else "assigned",
            ticket_id=ticket_id,
            specialist_id=ticket.specialist_id,
        )

    @app.get("/v1/queue")
    async def queue() -> list[dict[str, Any]]:
        async with db.transaction() as tx:
            return await store.queue(tx, now=await now(tx))

    @app.get("/v1/specialists")
    async def specialists() -> list[dict[str, Any]]:
        async with db.transaction() as tx:
            return await store.roster_load(tx)

    return app
