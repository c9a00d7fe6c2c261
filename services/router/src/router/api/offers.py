"""HTTP endpoints of offers and of the commands of specialists and leads."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from fastapi import FastAPI, Path, Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.exceptions import HTTPException

from router.api.auth import ActKey, AnyKey, LeadKey, check_specialist
from router.api.rules import add_rules
from router.domain import commands
from router.domain.commands import CommandOutcome, Conflict, TicketStatus, Unknown
from router.service.routing import RoutingService
from router.store import offers as offer_store
from shared.events import Presence
from shared.platform.access import Key, check_scope
from shared.platform.api import (
    EXAMPLE_TICKET_ID,
    TicketId,
    example_response,
    problems,
)
from shared.platform.idempotency import OutcomeType, once
from shared.platform.postgres import Database, now
from shared.platform.request_context import RequestContext, RequestContextDep
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
    """The ticket's specialist, the reason, and the lead who decides (null: the specialist)."""

    by: Annotated[_Id | None, Field(examples=["lea"])] = None


class MoveBody(_Body):
    """The new specialist, the lead who decides, and why."""

    to: Annotated[_Id, Field(examples=["jonas"])]
    by: Annotated[_Id, Field(examples=["lea"])]
    reason: Annotated[_Reason, Field(examples=["knows the account"])]


class PinBody(_Body):
    """The specialist (null ends the reservation), the lead who decides, and why."""

    to: Annotated[_Id | None, Field(examples=["jonas"])]
    by: Annotated[_Id, Field(examples=["lea"])]
    reason: Annotated[_Reason, Field(examples=["knows the account"])]


class SeverityBody(SpecialistBody):
    """The specialist who gives the command, and the severity."""

    severity: Annotated[Severity, Field(examples=["standard"])]


class Heartbeat(_Body):
    """A presence, to be renewed before it lapses; ``hand_back`` hands back all their tickets."""

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


type _SpecialistCommand = (
    commands.Accept
    | commands.DeclineOffer
    | commands.Decline
    | commands.Respond
    | commands.Confirm
    | commands.Reclassify
)
_KEPT_AS: Final = OutcomeType(TypeAdapter(CommandOutcome))
_NOTHING: Final = OutcomeType(TypeAdapter(type(None)))


class _CommandRunner:
    """Runs commands and translates their outcome into HTTP."""

    def __init__(self, db: Database, routing: RoutingService) -> None:
        self._db = db
        self._routing = routing

    async def run(self, command: commands.Command, context: RequestContext) -> CommandResult:
        try:
            async with once(self._db, context.key, _KEPT_AS) as request:
                if not request.is_repeated:
                    at = await now(request.tx)
                    request.outcome = await self._routing.execute(request.tx, command, at)
        except Unknown as e:
            raise HTTPException(HTTPStatus.NOT_FOUND, str(e)) from e
        except Conflict as e:
            raise HTTPException(HTTPStatus.CONFLICT, str(e)) from e
        return CommandResult.model_validate(request.outcome, from_attributes=True)

    async def run_as(
        self, key: Key, command: _SpecialistCommand, context: RequestContext
    ) -> CommandResult:
        check_specialist(key, command.specialist_id)
        return await self.run(command, context)


def add_commands(app: FastAPI, db: Database, routing: RoutingService) -> None:
    """Add the endpoints for specialists and leads."""
    runner = _CommandRunner(db, routing)
    _add_offers(app, db, runner)
    _add_ticket_commands(app, runner)
    _add_plain_commands(app, runner)
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
        offer_id: OfferId, body: SpecialistBody, key: ActKey, context: RequestContextDep
    ) -> CommandResult:
        """Accept an offer; its lease must not have ended."""
        return await runner.run_as(
            key, commands.Accept(offer_id, body.specialist_id, context.traceparent), context
        )

    @app.post(
        "/v1/offers/{offer_id}/decline",
        summary="Decline an offer",
        responses=_RESULT | _OFFER_FAILS,
    )
    async def decline_offer(
        offer_id: OfferId, body: ReasonBody, key: ActKey, context: RequestContextDep
    ) -> CommandResult:
        """Decline an offer; the same specialist gets it again only if no other takes it."""
        return await runner.run_as(
            key,
            commands.DeclineOffer(offer_id, body.specialist_id, body.reason, context.traceparent),
            context,
        )


def _add_ticket_commands(app: FastAPI, runner: _CommandRunner) -> None:
    ticket = {"responses": _RESULT | _FAILS, "tags": ["tickets"]}

    @app.post("/v1/tickets/{ticket_id}/decline", summary="Decline a ticket", **ticket)  # type: ignore[arg-type]
    async def decline_ticket(
        ticket_id: TicketId, body: ReasonBody, key: ActKey, context: RequestContextDep
    ) -> CommandResult:
        """Decline a ticket; another specialist gets it, or it waits. Its age does not change.

        It is not offered to the same specialist again while another can take it.
        """
        return await runner.run_as(
            key,
            commands.Decline(ticket_id, body.specialist_id, body.reason, context.traceparent),
            context,
        )

    @app.post("/v1/tickets/{ticket_id}/reclassify", summary="Change the severity", **ticket)  # type: ignore[arg-type]
    async def reclassify_ticket(
        ticket_id: TicketId, body: SeverityBody, key: ActKey, context: RequestContextDep
    ) -> CommandResult:
        """Change the severity; the targets change and still run from the create date."""
        return await runner.run_as(
            key,
            commands.Reclassify(ticket_id, body.specialist_id, body.severity, context.traceparent),
            context,
        )


def _add_plain_commands(app: FastAPI, runner: _CommandRunner) -> None:
    """Add the commands on a ticket that only name their specialist."""

    def add(path: str, command: type[commands.Respond | commands.Confirm], **about: str) -> None:
        responses = _RESULT | _FAILS
        tickets = f"/v1/tickets/{{ticket_id}}/{path}"

        @app.post(tickets, responses=responses, tags=["tickets"], **about)  # type: ignore[arg-type]
        async def give(
            ticket_id: TicketId, body: SpecialistBody, key: ActKey, context: RequestContextDep
        ) -> CommandResult:
            given = command(ticket_id, body.specialist_id, context.traceparent)
            return await runner.run_as(key, given, context)

    add(
        "responded",
        commands.Respond,
        name="record_response",
        summary="Report a response",
        description="Report that the customer was answered; response clocks are met.",
    )
    add(
        "confirm-severity",
        commands.Confirm,
        name="confirm_severity",
        summary="Confirm the severity",
        description="Confirm the present severity.",
    )


def _add_lead_commands(app: FastAPI, runner: _CommandRunner) -> None:
    ticket = {"responses": _RESULT | _FAILS, "tags": ["tickets"]}

    @app.post("/v1/tickets/{ticket_id}/hand-back", summary="Hand a ticket back", **ticket)  # type: ignore[arg-type]
    async def hand_back_ticket(
        ticket_id: TicketId, body: HandBackBody, key: AnyKey, context: RequestContextDep
    ) -> CommandResult:
        """Return a ticket to the queue, by its specialist or a lead; its age does not change."""
        by = _decider(key, body)
        return await runner.run(
            commands.HandBack(ticket_id, body.specialist_id, by, body.reason, context.traceparent),
            context,
        )

    @app.post("/v1/tickets/{ticket_id}/move", summary="Move a ticket", **ticket)  # type: ignore[arg-type]
    async def move_ticket(
        ticket_id: TicketId, body: MoveBody, key: LeadKey, context: RequestContextDep
    ) -> CommandResult:
        """Assign a ticket, even another's, to an available specialist with room. Leads only."""
        by = _lead(key, body.by)
        return await runner.run(
            commands.Move(ticket_id, body.to, by, body.reason, context.traceparent), context
        )

    @app.post("/v1/tickets/{ticket_id}/pin", summary="Pin a ticket", **ticket)  # type: ignore[arg-type]
    async def pin_ticket(
        ticket_id: TicketId, body: PinBody, key: LeadKey, context: RequestContextDep
    ) -> CommandResult:
        """Reserve a ticket for one specialist, or end that reservation. Leads only; recorded."""
        by = _lead(key, body.by)
        return await runner.run(
            commands.Pin(ticket_id, body.to, by, body.reason, context.traceparent), context
        )


def _decider(key: Key, body: HandBackBody) -> str:
    """Return who decides to hand back, the specialist or a lead; refuse a key without the right."""
    if body.by in {None, body.specialist_id}:
        check_scope(key, "desk:act")
        check_specialist(key, body.specialist_id)
        return body.specialist_id
    check_scope(key, "desk:lead")
    return _lead(key, body.by)


def _lead(key: Key, name: str) -> str:
    """Return a lead's name as it is recorded: with tenant and name of the key that was used."""
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
        context: RequestContextDep,
    ) -> None:
        """Report the presence of a specialist: a heartbeat.

        Without another one before the lease ends, the specialist counts as offline. The tickets of
        an offline specialist are handed back after the rules' grace. A heartbeat does not end being
        away: use `back`.
        """
        check_specialist(key, specialist_id)
        report = commands.PresenceReport(specialist_id, body.presence, body.hand_back)
        await _report(report, context)

    @app.post(
        "/v1/specialists/{specialist_id}/back",
        summary="End being away",
        status_code=HTTPStatus.NO_CONTENT,
        responses=_NO_SPECIALIST,
    )
    async def end_away(
        specialist_id: Annotated[_Id, Path(examples=["mara"])],
        key: ActKey,
        context: RequestContextDep,
    ) -> None:
        """End being away, whether it was set in the inbox or by unanswered offers."""
        check_specialist(key, specialist_id)
        await _report(commands.EndAway(specialist_id), context)

    async def _report(command: commands.PresenceCommand, context: RequestContext) -> None:
        try:
            async with once(db, context.key, _NOTHING) as request:
                if not request.is_repeated:
                    at = await now(request.tx)
                    request.outcome = None
                    await routing.report_presence(request.tx, command, at)
        except Unknown as e:
            raise HTTPException(HTTPStatus.NOT_FOUND, str(e)) from e
