"""The HTTP API of sla-monitor: a ticket's clocks, and its timeline."""

from asyncio import to_thread
from http import HTTPStatus
from typing import Final
from uuid import UUID

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from shared.platform.access import Authenticator, Guard, Key
from shared.platform.admin import admin_routes
from shared.platform.api import EXAMPLE_TICKET_ID, TicketId, example_response, make_api, problems
from shared.platform.postgres import Database, now
from sla_monitor.api.auth import Reader, sees
from sla_monitor.api.examples import CLOCKS, TIMELINE
from sla_monitor.api.schemas import Clocks, TicketAnswer, Timeline, clocks_answer, timeline_answer
from sla_monitor.domain.replay import Learned
from sla_monitor.service import exception_of
from sla_monitor.store import clocks as clock_store
from sla_monitor.store import reevaluation as reevaluations

__all__ = ["make_app"]

_UNKNOWN: Final = problems({HTTPStatus.NOT_FOUND: f"ticket {EXAMPLE_TICKET_ID} is not known here"})


def make_app(db: Database, access: Authenticator, routes: list[BaseRoute]) -> FastAPI:
    """Build the app; ``routes`` are those that every service has, and need no key."""
    app = make_api("sla-monitor", routes, [Middleware(Guard, access=access)])

    @app.get(
        "/v1/tickets/{ticket_id}/clocks",
        summary="A ticket's clocks",
        responses=example_response(CLOCKS) | _UNKNOWN,
        tags=["tickets"],
    )
    async def read_clocks(ticket_id: TicketId, key: Reader) -> Clocks:
        """Return every clock of the ticket: its promise, its due time and why, the time left."""
        async with db.transaction() as tx:
            clocks = await clock_store.clocks_unlocked(tx, ticket_id)
            learned = _known(ticket_id, await clock_store.learned(tx, ticket_id))
            at = await now(tx)
        answer = clocks_answer(ticket_id, learned, clocks, now=at)
        _check_account(key, ticket_id, answer.ticket)
        return answer

    @app.get(
        "/v1/tickets/{ticket_id}/timeline",
        summary="A ticket's timeline",
        responses=example_response(TIMELINE) | _UNKNOWN,
        tags=["tickets"],
    )
    async def read_timeline(ticket_id: TicketId, key: Reader) -> Timeline:
        """Return each fact in order, what it changed and why, and warnings and breaches between."""
        async with db.transaction() as tx:
            learned = _known(ticket_id, await clock_store.learned(tx, ticket_id))
            declared = exception_of(await reevaluations.windows(tx))
            at = await now(tx)
        answer = await to_thread(  # in a thread: a long timeline must not delay breaches
            timeline_answer, ticket_id, learned, now=at, exception_of=declared
        )
        _check_account(key, ticket_id, answer.ticket)
        return answer

    app.include_router(admin_routes("sla-monitor", db))
    return app


def _known(ticket_id: UUID, learned: list[Learned]) -> list[Learned]:
    if not learned:
        raise _unknown(ticket_id)
    return learned


def _check_account(key: Key, ticket_id: UUID, ticket: TicketAnswer | None) -> None:
    """Answer 404, as for an unknown ticket, if the key may not read the ticket's account."""
    if not sees(key, None if ticket is None else ticket.account_id):
        raise _unknown(ticket_id)


def _unknown(ticket_id: UUID) -> HTTPException:
    return HTTPException(HTTPStatus.NOT_FOUND, f"ticket {ticket_id} is not known here")
