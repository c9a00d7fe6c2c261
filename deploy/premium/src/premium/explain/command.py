"""`premium explain TICKET`: its promises, history, next due times, and assignment decisions."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer
from pydantic import BaseModel
from rich.console import Console, Group, RenderableType
from rich.text import Text

from premium.api import NotFoundError, ServiceApi
from premium.errors import CommandError
from premium.explain.decisions import Decisions, decided
from premium.explain.responses import Clocks, Timeline
from premium.explain.view import explained
from premium.profile import Profile, read_profile
from premium.timestamps import Local
from shared.events import ticket_id_of
from shared.platform.api_keys import Keyed

__all__ = ["explain", "ticket_named"]


def explain(
    ticket: Annotated[str, typer.Argument(help="the ticket's id, or its upstream SOURCE")],
    external_id: Annotated[
        str | None, typer.Argument(help="with a SOURCE: the request's id there")
    ] = None,
) -> None:
    """Explain TICKET: its promises, history, due times, and who has it and why."""
    ticket_id = ticket_named(ticket, external_id)
    Console().print(asyncio.run(_explained(read_profile(), ticket_id)))


def ticket_named(ticket: str, external_id: str | None) -> UUID:
    """Return a ticket's id, given the id, or source and external id. Raises CommandError."""
    if external_id is not None:
        return ticket_id_of(ticket, external_id)
    try:
        return UUID(ticket)
    except ValueError:
        raise CommandError(
            f"{ticket!r} is no ticket id; give the id, or source and external id:"
            f" premium explain SOURCE EXTERNAL_ID"
        ) from None


async def _explained(profile: Profile, ticket_id: UUID) -> RenderableType:
    clocks = await _get(profile, "sla-monitor", ticket_id, "clocks", Clocks)
    timeline = await _get(profile, "sla-monitor", ticket_id, "timeline", Timeline)
    try:
        found = await _get(profile, "router", ticket_id, "decision", Decisions)
    except CommandError as e:
        return Group(explained(clocks, timeline), Text(f"\nWho has it, and why: {e}"))
    local = Local(clocks.ticket.time_zone if clocks.ticket else "UTC")
    return Group(explained(clocks, timeline), decided(found.decisions, local))


async def _get[T: BaseModel](
    profile: Profile, service: Keyed, ticket_id: UUID, what: str, kind: type[T]
) -> T:
    """Get a resource of the ticket. Raises CommandError if that fails in any way."""
    api = ServiceApi(service, profile.url(service), profile.headers(service))
    try:
        return await api.get(f"/v1/tickets/{ticket_id}/{what}", kind)
    except NotFoundError:
        raise CommandError(
            f"{service} does not know this ticket ({api.url}); look for its request with"
            " `premium redrive intake --list`"
        ) from None
