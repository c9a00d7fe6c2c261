"""HTTP endpoints of offers and of the commands of specialists and leads."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, FastAPI, Header, Path, Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.exceptions import HTTPException

from router.api.auth import ActKey, AnyKey, LeadKey, check_specialist
from router.api.rules import add_rules
from router.domain import commands
from router.domain.commands import Conflict, IdempotencyKeyReused, TicketStatus, Unknown
from router.service.routing import RoutingService
from router.store import offers as offer_store
from shared.events import Presence
from shared.platform.access import Key, check_scope
from shared.platform.api import (
    EXAMPLE_TICKET_ID,
    IDEMPOTENCY_KEY,
    IDEMPOTENCY_KEY_PATTERN,
    TicketId,
    TraceContext,
    example_response,
    problems,
)
from shared.platform.postgres import Database, now
from shared.sla.promises import Channel, Severity

__all__ = ["add_commands"]

_AN_OFFER: Final = "2b0c2d3e-9d1f-5c55-8a5f-0a7f4d5b6c7d"

_PLAIN: Final = r"^[^\x00-\x1f]+$"

_Id = Annotated[str, Field(min_length=1, max_length=100, pattern=_PLAIN)]
_Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=100,
        pattern=_PLAIN,
        description="A few words; they are published.",
    ),
]
type OfferId = Annotated[
    UUID,
    Path(
        description="As given by `GET /v1/offers` and the event.",
        openapi_examples={"of the examples": {"value": _AN_OFFER}},
    ),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SpecialistBody(_Body):
    """The specialist who gives the command."""

    specialist_id: Annotated[_Id, Field(examples=["mara"])]


class ReasonBody(SpecialistBody):
    """The specialist who gives the command, and why."""

    reason: Annotated[_Reason, Field(examples=["not my field"])]


class HandBackBody(ReasonBody):
    """The ticket's specialist, the reason, and a lead; without ``by``, the specialist decides."""

    by: Annotated[_Id | None, Field(examples=["lea"])] = None


class MoveBody(_Body):
    """The new specialist, the lead who decides, and why."""

    to: Annotated[_Id, Field(examples=["jonas"])]
    by: Annotated[_Id, Field(examples=["lea"])]
    reason: Annotated[_Reason, Field(examples=["knows the account"])]


class PinBody(_Body):
    """The specialist (null: none any more), the lead who decides, and why."""

    to: Annotated[_Id | None, Field(examples=["jonas"])]
    by: Annotated[_Id, Field(examples=["lea"])]
    reason: Annotated[_Reason, Field(examples=["knows the account"])]


class SeverityBody(SpecialistBody):
    """The specialist who gives the command, and the severity."""

    severity: Annotated[Severity, Field(examples=["standard"])]


class Heartbeat(_Body):
    """A presence, to be renewed before it lapses; ``hand_back`` frees all tickets at once."""

    presence: Annotated[Presence, Field(examples=["online"])]
    hand_back: bool = False


class CommandResult(BaseModel):
    """The status of the ticket after the command; a repeated command has the same result."""

    outcome: TicketStatus
    ticket_id: UUID
    specialist_id: str | None = Field(description="The specialist who has it or is offered it.")


class OpenOffer(BaseModel):
    """A ticket that rings at a specialist."""

    offer_id: UUID
    ticket_id: UUID
    specialist_id: str
    offered_at: datetime
    lease_ends_at: datetime = Field(description="When the offer expires.")
    account_id: str
    channel: Channel
    language: str
    severity: Severity
    due_at: datetime | None = Field(description="Null if nothing is due.")


_OPEN_OFFERS: Final = TypeAdapter(list[OpenOffer])
_RESULT: Final = example_response(
    {"outcome": "assigned", "ticket_id": EXAMPLE_TICKET_ID, "specialist_id": "jonas"}
)
_FAILS: Final = problems(
    {
        HTTPStatus.NOT_FOUND: f"there is no ticket {EXAMPLE_TICKET_ID}",
        HTTPStatus.CONFLICT: "mara does not have this ticket: someone was faster",
    }
)
_OFFER_FAILS: Final = problems(
    {
        HTTPStatus.NOT_FOUND: f"mara has no offer {_AN_OFFER}",
        HTTPStatus.CONFLICT: "the lease of this offer has ended: the ticket went on to others",
    }
)
_NO_SPECIALIST: Final = problems({HTTPStatus.NOT_FOUND: "there is no specialist mara"})


@dataclass(frozen=True, slots=True)
class _Context:
    """The trace and the idempotency key of a request."""

    traceparent: str
    idempotency_key: str | None


async def _context(
    context: TraceContext,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias=IDEMPOTENCY_KEY,
            pattern=IDEMPOTENCY_KEY_PATTERN,
            description="A command is executed once for each key; the response is the same.",
        ),
    ] = None,
) -> _Context:
    return _Context(context, idempotency_key)


type RequestContext = Annotated[_Context, Depends(_context)]


class _CommandRunner:
    """Runs commands and translates their outcome into HTTP."""

    def __init__(self, db: Database, routing: RoutingService) -> None:
        self._db = db
        self._routing = routing

    async def run(
        self, key: Key, make: Callable[[str], commands.Command], context: _Context
    ) -> CommandResult:
        wanted = make(context.traceparent)
        key_hash = (
            None
            if context.idempotency_key is None
            else key.idempotency_key_hash(context.idempotency_key)
        )
        try:
            async with self._db.transaction() as tx:
                outcome = await self._routing.execute(tx, wanted, await now(tx), key_hash)
        except IdempotencyKeyReused as e:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(e)) from e
        except Unknown as e:
            raise HTTPException(HTTPStatus.NOT_FOUND, str(e)) from e
        except Conflict as e:
            raise HTTPException(HTTPStatus.CONFLICT, str(e)) from e
        return CommandResult.model_validate(outcome, from_attributes=True)

    async def run_as(
        self,
        key: Key,
        body: SpecialistBody,
        make: Callable[[str], commands.Command],
        context: _Context,
    ) -> CommandResult:
        check_specialist(key, body.specialist_id)
        return await self.run(key, make, context)


def add_commands(app: FastAPI, db: Database, routing: RoutingService) -> None:
    """Add the endpoints for specialists and leads."""
    runner = _CommandRunner(db, routing)
    _add_offers(app, db, runner)
    _add_ticket_commands(app, runner)
    _add_lead_commands(app, runner)
    _add_presence(app, db, routing)
    add_rules(app, db)


def _add_offers(app: FastAPI, db: Database, runner: _CommandRunner) -> None:
    @app.get("/v1/offers", summary="List open offers")
    async def list_offers(
        specialist_id: Annotated[_Id, Query(examples=["mara"])], key: ActKey
    ) -> list[OpenOffer]:
        """List a specialist's open offers, the earliest end of a lease first."""
        check_specialist(key, specialist_id)
        async with db.transaction() as tx:
            return _OPEN_OFFERS.validate_python(await offer_store.offers(tx, specialist_id))

    @app.post(
        "/v1/offers/{offer_id}/accept", summary="Accept an offer", responses=_RESULT | _OFFER_FAILS
    )
    async def accept_offer(
        offer_id: OfferId, body: SpecialistBody, key: ActKey, context: RequestContext
    ) -> CommandResult:
        """Accept an offer; its lease must not have ended."""
        return await runner.run_as(
            key, body, lambda trace: commands.Accept(offer_id, body.specialist_id, trace), context
        )

    @app.post(
        "/v1/offers/{offer_id}/decline",
        summary="Decline an offer",
        responses=_RESULT | _OFFER_FAILS,
    )
    async def decline_offer(
        offer_id: OfferId, body: ReasonBody, key: ActKey, context: RequestContext
    ) -> CommandResult:
        """Decline an offer; the ticket is offered to others, and again if none takes it."""
        return await runner.run_as(
            key,
            body,
            lambda trace: commands.DeclineOffer(offer_id, body.specialist_id, body.reason, trace),
            context,
        )


def _add_ticket_commands(app: FastAPI, runner: _CommandRunner) -> None:
    ticket = {"responses": _RESULT | _FAILS, "tags": ["tickets"]}

    @app.post("/v1/tickets/{ticket_id}/decline", summary="Decline a ticket", **ticket)  # type: ignore[arg-type]
    async def decline_ticket(
        ticket_id: TicketId, body: ReasonBody, key: ActKey, context: RequestContext
    ) -> CommandResult:
        """Decline a ticket; another specialist gets it, or it waits, with its age.

        It is not offered to the same specialist again while another can take it.
        """
        return await runner.run_as(
            key,
            body,
            lambda trace: commands.Decline(ticket_id, body.specialist_id, body.reason, trace),
            context,
        )

    @app.post("/v1/tickets/{ticket_id}/responded", summary="Report a response", **ticket)  # type: ignore[arg-type]
    async def record_response(
        ticket_id: TicketId, body: SpecialistBody, key: ActKey, context: RequestContext
    ) -> CommandResult:
        """Report that the customer was answered; response clocks are met."""
        return await runner.run_as(
            key, body, lambda trace: commands.Respond(ticket_id, body.specialist_id, trace), context
        )

    @app.post("/v1/tickets/{ticket_id}/confirm-severity", summary="Confirm the severity", **ticket)  # type: ignore[arg-type]
    async def confirm_severity(
        ticket_id: TicketId, body: SpecialistBody, key: ActKey, context: RequestContext
    ) -> CommandResult:
        """Confirm the present severity."""
        return await runner.run_as(
            key, body, lambda trace: commands.Confirm(ticket_id, body.specialist_id, trace), context
        )

    @app.post("/v1/tickets/{ticket_id}/reclassify", summary="Change the severity", **ticket)  # type: ignore[arg-type]
    async def reclassify_ticket(
        ticket_id: TicketId, body: SeverityBody, key: ActKey, context: RequestContext
    ) -> CommandResult:
        """Change the severity; the targets change and still run from the create date."""
        return await runner.run_as(
            key,
            body,
            lambda trace: commands.Reclassify(ticket_id, body.specialist_id, body.severity, trace),
            context,
        )


def _add_lead_commands(app: FastAPI, runner: _CommandRunner) -> None:
    ticket = {"responses": _RESULT | _FAILS, "tags": ["tickets"]}

    @app.post("/v1/tickets/{ticket_id}/hand-back", summary="Hand a ticket back", **ticket)  # type: ignore[arg-type]
    async def hand_back_ticket(
        ticket_id: TicketId, body: HandBackBody, key: AnyKey, context: RequestContext
    ) -> CommandResult:
        """Return a ticket to the queue, by its specialist or a lead; it keeps its age."""
        by = _decider(key, body)
        return await runner.run(
            key,
            lambda trace: commands.HandBack(ticket_id, body.specialist_id, by, body.reason, trace),
            context,
        )

    @app.post("/v1/tickets/{ticket_id}/move", summary="Move a ticket", **ticket)  # type: ignore[arg-type]
    async def move_ticket(
        ticket_id: TicketId, body: MoveBody, key: LeadKey, context: RequestContext
    ) -> CommandResult:
        """Assign a ticket to an available specialist with room, wherever it is now. Leads only."""
        by = _lead(key, body.by)
        return await runner.run(
            key, lambda trace: commands.Move(ticket_id, body.to, by, body.reason, trace), context
        )

    @app.post("/v1/tickets/{ticket_id}/pin", summary="Pin a ticket", **ticket)  # type: ignore[arg-type]
    async def pin_ticket(
        ticket_id: TicketId, body: PinBody, key: LeadKey, context: RequestContext
    ) -> CommandResult:
        """Reserve a ticket for one specialist, or end that. Leads only; the command is recorded."""
        by = _lead(key, body.by)
        return await runner.run(
            key, lambda trace: commands.Pin(ticket_id, body.to, by, body.reason, trace), context
        )


def _decider(key: Key, body: HandBackBody) -> str:
    """Return who decides to hand back, the specialist or a lead, after checking the key."""
    if body.by in {None, body.specialist_id}:
        check_scope(key, "desk:act")
        check_specialist(key, body.specialist_id)
        return body.specialist_id
    check_scope(key, "desk:lead")
    return _lead(key, body.by)


def _lead(key: Key, name: str) -> str:
    """Return a lead's name for the record, with the key that vouches for it."""
    return f"{name} ({key.tenant}/{key.name})"


def _add_presence(app: FastAPI, db: Database, routing: RoutingService) -> None:
    @app.post(
        "/v1/specialists/{specialist_id}/presence",
        summary="Report presence",
        status_code=HTTPStatus.NO_CONTENT,
        responses=_NO_SPECIALIST,
    )
    async def report_presence(
        specialist_id: Annotated[_Id, Path(examples=["mara"])],
        body: Heartbeat,
        key: ActKey,
    ) -> None:
        """Report the presence of a specialist: a heartbeat.

        Without another one before the lease ends, the specialist counts as offline. The tickets
        of an offline specialist are handed back by the rules. A heartbeat does not end being
        away: use `back`.
        """
        check_specialist(key, specialist_id)
        await _report(commands.PresenceReport(specialist_id, body.presence, body.hand_back))

    @app.post(
        "/v1/specialists/{specialist_id}/back",
        summary="End being away",
        status_code=HTTPStatus.NO_CONTENT,
        responses=_NO_SPECIALIST,
    )
    async def end_away(specialist_id: Annotated[_Id, Path(examples=["mara"])], key: ActKey) -> None:
        """End being away, whether it was set in the inbox or by unanswered offers."""
        check_specialist(key, specialist_id)
        await _report(commands.EndAway(specialist_id))

    async def _report(body: commands.PresenceCommand) -> None:
        try:
            async with db.transaction() as tx:
                await routing.report_presence(tx, body, await now(tx))
        except Unknown as e:
            raise HTTPException(HTTPStatus.NOT_FOUND, str(e)) from e
