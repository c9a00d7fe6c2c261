"""`premium explain TICKET`: its promises, history, next due times, and assignment decisions."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

import aiohttp
import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console, Group, RenderableType
from rich.text import Text

from premium.errors import CommandError
from premium.explain.decisions import Decisions, decided
from premium.explain.responses import Clocks, Timeline
from premium.explain.view import explained
from premium.profile import CHECK, Profile, read_profile
from premium.timestamps import Local
from shared.events import ticket_id_of
from shared.platform.api_keys import Keyed

__all__ = ["explain", "ticket_named"]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)


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
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
        monitor = _Service(http, profile, "sla-monitor", ticket_id)
        clocks = await monitor.get("clocks", Clocks)
        timeline = await monitor.get("timeline", Timeline)
        try:
            router = _Service(http, profile, "router", ticket_id)
            found = await router.get("decision", Decisions)
        except CommandError as e:
            return Group(explained(clocks, timeline), Text(f"\nWho has it, and why: {e}"))
        local = Local(clocks.ticket.time_zone if clocks.ticket else "UTC")
        return Group(explained(clocks, timeline), decided(found.decisions, local))


class _Service:
    """A service's HTTP API for one ticket."""

    def __init__(
        self, http: aiohttp.ClientSession, profile: Profile, name: Keyed, ticket_id: UUID
    ) -> None:
        self._http = http
        self._name = name
        self._headers = profile.headers(name)
        self._place = f"{profile.url(name)}/v1/tickets/{ticket_id}"

    async def get[T: BaseModel](self, what: str, kind: type[T]) -> T:
        """Get a resource of the ticket. Raises CommandError if that fails in any way."""
        place, name = f"{self._place}/{what}", self._name
        try:
            async with self._http.get(place, headers=self._headers) as answer:
                status, body = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as e:
            raise CommandError(
                f"{name} does not answer at {place} ({type(e).__name__}); {CHECK}"
            ) from e
        if status == HTTPStatus.NOT_FOUND:
            raise CommandError(
                f"{name} does not know this ticket ({place}); look for its request with"
                " `premium redrive intake --list`"
            )
        if status != HTTPStatus.OK:
            raise CommandError(f"{name} answers {status}; see its log")
        try:
            return kind.model_validate_json(body)
        except ValidationError:
            raise CommandError(
                f"cannot read {name}'s response: it and this command must have one version"
            ) from None
