"""Router's door over HTTP: a specialist gives a ticket back, a team lead sees queue and load."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from router import handlers, store
from router.domain import Decline, NotTheirs, Unknown
from router.inbox.routes import STREAM
from shared.api import A_TICKET, TicketId, Traceparent, make_api, problems
from shared.events import Presence
from shared.http import OPS_PATHS
from shared.limits import Limits
from shared.postgres import Database, now
from shared.promises import Channel
from shared.tracing import traceparent_or_new

__all__ = ["Declined", "Holder", "Pool", "Wish", "make_app"]


class Wish(BaseModel):
    """Why which specialist gives a ticket back. The reason is published: a few plain words."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"specialist_id": "mara", "reason": "not my field"}]},
    )

    specialist_id: Annotated[str, Field(min_length=1, max_length=100)]
    reason: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]


class Declined(BaseModel):
    """What became of the ticket: somebody has it, or it waits with its original age."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"outcome": "assigned", "ticket_id": A_TICKET, "specialist_id": "jonas"}]
        }
    )

    outcome: Literal["assigned", "waiting"]
    ticket_id: UUID
    specialist_id: str | None = Field(description="Who has it now.")


class Pool(BaseModel):
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
    earliest_due_at: datetime | None = Field(description="Null where nothing is due.")


class Room(BaseModel):
    """How many tickets somebody can hold on a channel, and holds."""

    capacity: int
    load: int


class Holder(BaseModel):
    """A specialist on the roster, and how much they hold of what they can."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "specialist_id": "mara",
                    "name": "Mara Lind",
                    "languages": ["de", "en"],
                    "presence": "online",
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
    presence: Presence
    levels: dict[str, int] = Field(description="How well they speak each, from 1 to 5.")
    skills: list[str]
    team: str | None
    certified: bool = Field(description="Takes premium tickets.")
    on_shift: bool = Field(description="True for who has no shifts.")
    channels: dict[Channel, Room]


_LIMITS: Final = Limits(uncounted=OPS_PATHS | {STREAM})
_POOLS: Final = TypeAdapter(list[Pool])
_HOLDERS: Final = TypeAdapter(list[Holder])
_DECLINE_FAILS: Final = problems(
    {
        HTTPStatus.NOT_FOUND: f"there is no ticket {A_TICKET}",
        HTTPStatus.CONFLICT: "mara does not have this ticket: someone was faster",
    }
)


def make_app(db: Database, routes: list[BaseRoute]) -> FastAPI:
    """Build the app; ``routes`` are those that every service has."""
    app = make_api("router", routes, limits=_LIMITS)

    @app.post(
        "/v1/tickets/{ticket_id}/decline",
        summary="Give a ticket back",
        tags=["tickets"],
        responses=_DECLINE_FAILS,
    )
    async def decline(ticket_id: TicketId, wish: Wish, traceparent: Traceparent = None) -> Declined:
        """Give a ticket to another specialist than who has it; if nobody has room, it waits.

        It keeps its age, and is not offered again to who declined it while others could take it.
        """
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

    @app.get("/v1/queue", summary="Who waits", tags=["queue"])
    async def queue() -> list[Pool]:
        """Count the tickets that wait, by channel and language."""
        async with db.transaction() as tx:
            return _POOLS.validate_python(await store.queue(tx, now=await now(tx)))

    @app.get("/v1/specialists", summary="Who holds how much", tags=["specialists"])
    async def specialists() -> list[Holder]:
        """List everybody on the roster, present or not."""
        async with db.transaction() as tx:
            return _HOLDERS.validate_python(await store.roster_load(tx))

    return app
