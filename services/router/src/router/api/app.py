"""Builds router's HTTP API: commands, decision records, queue, load and callbacks."""

from datetime import datetime
from http import HTTPStatus
from typing import Final
from uuid import UUID

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from router.api import admin, callbacks, coverage
from router.api.auth import ReadKey
from router.api.offers import add_commands
from router.domain.specialist import Away
from router.pages.routes import STREAM
from router.service.routing import RoutingService
from router.store import tickets as ticket_store
from shared.events import AssignmentExplained, Presence
from shared.platform.access import Authenticator, Guard
from shared.platform.admin import admin_routes
from shared.platform.api import EXAMPLE_TICKET_ID, TicketId, make_api, problems
from shared.platform.http import OPS_PATHS
from shared.platform.limits import Limits
from shared.platform.postgres import Database, now
from shared.sla.promises import Channel

__all__ = ["QueueSummary", "SpecialistLoad", "TicketDecisions", "make_app"]


class TicketDecisions(BaseModel):
    """The decisions on a ticket, the oldest first."""

    ticket_id: UUID
    decisions: list[AssignmentExplained]


class QueueSummary(BaseModel):
    """The tickets of one channel and language that wait for a specialist."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "channel": "email",
                    "language": "de",
                    "waiting": 3,
                    "oldest_s": 421.5,
                    "earliest_due_at": "2026-03-02T13:00:00Z",
                }
            ]
        }
    )

    channel: Channel
    language: str = Field(description="Without its region: `de` for `de-AT`.")
    waiting: int
    oldest_s: float = Field(description="Seconds since the oldest was created.")
    earliest_due_at: datetime | None = Field(description="Null if nothing is due.")


class ChannelLoad(BaseModel):
    """A specialist's capacity and load on one channel."""

    capacity: int
    load: int


class SpecialistLoad(BaseModel):
    """A specialist on the roster, with their load."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "specialist_id": "mara",
                    "name": "Mara Lind",
                    "languages": ["de", "en"],
                    "presence": "online",
                    "said": "away",
                    "away": "said",
                    "levels": {"de": 5, "en": 4},
                    "skills": ["billing"],
                    "team": "emea",
                    "certified": True,
                    "on_shift": True,
                    "channels": {"email": {"capacity": 4, "load": 2}},
                }
            ]
        }
    )

    specialist_id: str
    name: str
    languages: list[str]
    presence: Presence = Field(description="According to the roster.")
    said: Presence | None = Field(
        description="What their heartbeats report; null before the first."
    )
    away: Away | None = Field(
        description="Why they are away: `said`, they set it; `unanswered`, offers expired."
    )
    levels: dict[str, int] = Field(description="The level of each language, from 1 to 5.")
    skills: list[str]
    team: str | None
    certified: bool = Field(description="Takes premium tickets.")
    on_shift: bool = Field(description="True for specialists without shifts.")
    channels: dict[Channel, ChannelLoad]


_LIMITS: Final = Limits(uncounted=OPS_PATHS | {STREAM})
_QUEUES: Final = TypeAdapter(list[QueueSummary])
_SPECIALISTS: Final = TypeAdapter(list[SpecialistLoad])
_DECISION_FAILS: Final = problems(
    {HTTPStatus.NOT_FOUND: f"no decision on ticket {EXAMPLE_TICKET_ID} is on record"}
)


def make_app(
    db: Database, routing: RoutingService, access: Authenticator, routes: list[BaseRoute]
) -> FastAPI:
    """Build the app; ``routes`` are served without a key, such as the pages."""
    app = make_api("router", routes, [Middleware(Guard, access=access)], _LIMITS)

    @app.get("/v1/queue", summary="Count waiting tickets", tags=["queue"])
    async def read_queue(_: ReadKey) -> list[QueueSummary]:
        """Count the waiting tickets, by channel and language."""
        async with db.transaction() as tx:
            return _QUEUES.validate_python(await ticket_store.queue(tx, now=await now(tx)))

    @app.get("/v1/specialists", summary="List specialists and their load", tags=["specialists"])
    async def list_specialists(_: ReadKey) -> list[SpecialistLoad]:
        """List all specialists on the roster, present or not."""
        async with db.transaction() as tx:
            return _SPECIALISTS.validate_python(await ticket_store.roster_load(tx))

    add_commands(app, db, routing)
    _add_decision(app, db)
    app.include_router(callbacks.routes(db, routing))
    app.include_router(coverage.routes(db))
    app.include_router(admin.routes(db))
    app.include_router(admin_routes("router", db))
    return app


def _add_decision(app: FastAPI, db: Database) -> None:
    @app.get(
        "/v1/tickets/{ticket_id}/decision",
        summary="Explain an assignment",
        tags=["tickets"],
        responses=_DECISION_FAILS,
    )
    async def read_decision(ticket_id: TicketId, _: ReadKey) -> TicketDecisions:
        """Return the decision records of a ticket: why it went to a specialist, or waits.

        The last one is current. Records are kept for 14 days.
        """
        async with db.transaction() as tx:
            records = await ticket_store.decisions_on(tx, ticket_id)
        if not records:
            detail = f"no decision on ticket {ticket_id} is on record"
            raise HTTPException(HTTPStatus.NOT_FOUND, detail)
        decisions = [AssignmentExplained.model_validate_json(record) for record in records]
        return TicketDecisions(ticket_id=ticket_id, decisions=decisions)
