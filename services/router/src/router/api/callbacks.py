"""HTTP endpoints of callbacks: report attempts, list owed calls."""

from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter
from starlette.exceptions import HTTPException

from router.api.auth import ActKey, ReadKey, check_specialist
from router.domain.callbacks.ledger import Call
from router.domain.callbacks.ledger_session import (
    AlreadySettled,
    CallReport,
    NoCallback,
    UnknownSpecialist,
)
from router.service.routing import RoutingService
from router.store import callbacks as callback_store
from shared.events import AttemptOutcome
from shared.platform.api import EXAMPLE_TICKET_ID, TicketId, problems
from shared.platform.http_input import JsonRoute
from shared.platform.idempotency import OutcomeType, once
from shared.platform.postgres import Database, now
from shared.platform.request_context import RequestContextDep

__all__ = ["Attempt", "AttemptReport", "Callback", "routes"]

type State = Literal["waiting", "kept", "late", "missed", "ended"]

_FAILS: Final = problems(
    {
        HTTPStatus.NOT_FOUND: f"no call is owed on ticket {EXAMPLE_TICKET_ID}",
        HTTPStatus.CONFLICT: "the customer was spoken to already: do not dial",
    }
)


class AttemptReport(BaseModel):
    """Who dialled, and the outcome; without `at` the call has just ended."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"specialist_id": "mara", "outcome": "no_answer"}]},
    )

    specialist_id: Annotated[str, Field(min_length=1, max_length=100)]
    outcome: AttemptOutcome
    at: AwareDatetime | None = None


class Attempt(BaseModel):
    """One dial of a number, and its outcome."""

    ticket_id: UUID
    specialist_id: str
    at: datetime
    outcome: AttemptOutcome


class Callback(BaseModel):
    """One call: the tickets that it answers, the attempts, and what is still owed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "tickets": [EXAMPLE_TICKET_ID],
                    "waiting": [EXAMPLE_TICKET_ID],
                    "state": "waiting",
                    "requested_at": "2026-03-02T12:00:00Z",
                    "due_at": "2026-03-02T12:05:00Z",
                    "attempts": [
                        {
                            "ticket_id": EXAMPLE_TICKET_ID,
                            "specialist_id": "mara",
                            "at": "2026-03-02T12:01:00Z",
                            "outcome": "no_answer",
                        }
                    ],
                    "planned_at": "2026-03-02T12:02:36Z",
                }
            ]
        }
    )

    tickets: list[UUID] = Field(description="All tickets that requested it, the earliest first.")
    waiting: list[UUID] = Field(description="The tickets that still wait for it.")
    state: State = Field(
        description="`waiting`: owed and not yet due; `missed`: owed and past due; "
        "`kept` and `late`: the customer was spoken to; `ended`: answered or closed otherwise."
    )
    requested_at: datetime
    due_at: datetime | None = Field(description="Null if nothing is promised or owed.")
    attempts: list[Attempt]
    planned_at: datetime | None = Field(description="When to dial next; null: no dial is planned.")


_IN_FUTURE: Final = "is in the future; leave it out if the call has just ended"
_KEPT_AS: Final = OutcomeType(TypeAdapter(Callback))


def routes(db: Database, routing: RoutingService) -> APIRouter:
    """Build the routes."""
    router = APIRouter(tags=["callbacks"], route_class=JsonRoute)

    @router.post(
        "/v1/tickets/{ticket_id}/attempts", summary="Report a call attempt", responses=_FAILS
    )
    async def record_attempt(
        ticket_id: TicketId, body: AttemptReport, key: ActKey, context: RequestContextDep
    ) -> Callback:
        """Record an attempt; the response has the time of the next dial, if one is planned.

        The same specialist and outcome count once: with the same `at` or, without `at`, within 20
        seconds.
        """
        check_specialist(key, body.specialist_id)
        report = CallReport(
            ticket_id, body.specialist_id, body.outcome, body.at, context.traceparent
        )

        try:
            async with once(db, context.key, _KEPT_AS) as request:
                if not request.is_repeated:
                    at = await now(request.tx)
                    if body.at is not None and body.at > at:
                        raise _invalid("at", _IN_FUTURE)
                    call = await routing.record_attempt(request.tx, report, at)
                    request.outcome = _callback(call, at)
        except UnknownSpecialist as e:
            raise _invalid("specialist_id", "was never on the roster; check the id") from e
        except NoCallback as e:
            detail = f"no call is owed on ticket {ticket_id}"
            raise HTTPException(HTTPStatus.NOT_FOUND, detail) from e
        except AlreadySettled as e:
            detail = "the customer was spoken to already, or the ticket is over: do not dial"
            raise HTTPException(HTTPStatus.CONFLICT, detail) from e
        return request.outcome

    @router.get("/v1/callbacks", summary="List callbacks")
    async def list_callbacks(_: ReadKey, *, open: bool = False) -> list[Callback]:  # noqa: A002 - what it is
        """List calls of at most 500 tickets: the latest, or with `open` the oldest open ones."""
        async with db.transaction() as tx:
            at = await now(tx)
            ids, ledgers = await callback_store.recent(tx, only_open=open)
        return [
            _callback(call, at)
            for call in _unique(ledgers.calls(i) for i in ids)
            if call.open or not open
        ]

    return router


def _unique(ledgers: Iterator[list[Call]]) -> Iterator[Call]:
    """Yield each call once, though several tickets may lead to it."""
    seen: set[UUID] = set()
    for call in (call for ledger in ledgers for call in ledger):
        first = call.requests[0].ticket_id
        if first not in seen:
            seen.add(first)
            yield call


def _callback(call: Call, at: datetime) -> Callback:
    return Callback(
        tickets=[request.ticket_id for request in call.requests],
        waiting=list(call.open),
        state=_state(call, at),
        requested_at=call.requests[0].at,
        due_at=call.due_at,
        attempts=[Attempt(**a._asdict()) for a in call.attempts],
        planned_at=call.planned_at,
    )


def _state(call: Call, at: datetime) -> State:
    if call.open:
        return "waiting" if call.due_at is None or at < call.due_at else "missed"
    if not call.settled:
        return "ended"
    dues = {request.ticket_id: request.due_at for request in call.requests}
    return "kept" if all(_in_time(s.at, dues[i]) for i, s in call.settled.items()) else "late"


def _in_time(at: datetime, due_at: datetime | None) -> bool:
    return due_at is None or at <= due_at


def _invalid(field: str, fault: str) -> RequestValidationError:
    return RequestValidationError([{"type": "value_error", "loc": ("body", field), "msg": fault}])
