"""`premium explain TICKET`: what was promised, what happened, what is next, and why due then."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

import aiohttp
import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console, RenderableType

from premium.explain.answers import Clocks, Timeline
from premium.explain.view import explained
from premium.settings import Settings
from premium.stack import Stack
from premium.stack.errors import StackError
from shared.events import ticket_id_of
from shared.settings import load

__all__ = ["explain", "ticket_named"]

_ASK_S: Final = aiohttp.ClientTimeout(total=10)
_SERVICE: Final = "sla-monitor"


def explain(
    ticket: Annotated[str, typer.Argument(help="the ticket's id, or its upstream SOURCE")],
    external_id: Annotated[
        str | None, typer.Argument(help="with a SOURCE: the request's id there")
    ] = None,
) -> None:
    """Tell what TICKET was promised, what happened, what is next, and why it is due then."""
    ticket_id = ticket_named(ticket, external_id)
    addresses = Stack.attach(load(Settings).home).addresses
    try:
        door = addresses.http(_SERVICE)
    except KeyError:
        raise StackError(f"{_SERVICE} has not run yet: run `premium up`") from None
    Console().print(asyncio.run(_explained(f"{door}/v1/tickets/{ticket_id}")))


def ticket_named(ticket: str, external_id: str | None) -> UUID:
    """Find the id of a ticket. Raises StackError for what names none."""
    if external_id is not None:
        return ticket_id_of(ticket, external_id)
    try:
        return UUID(ticket)
    except ValueError:
        raise StackError(
            f"{ticket!r} is no ticket id; give the id, or source and external id:"
            f" premium explain SOURCE EXTERNAL_ID"
        ) from None


async def _explained(place: str) -> RenderableType:
    async with aiohttp.ClientSession(timeout=_ASK_S) as http:
        clocks = await _asked(http, f"{place}/clocks", Clocks)
        return explained(clocks, await _asked(http, f"{place}/timeline", Timeline))


async def _asked[T: BaseModel](http: aiohttp.ClientSession, place: str, kind: type[T]) -> T:
    try:
        async with http.get(place) as answer:
            status, told = answer.status, await answer.read()
    except (aiohttp.ClientError, TimeoutError) as e:
        raise StackError(
            f"{_SERVICE} does not answer at {place} ({type(e).__name__});"
            " see `premium status`, then `premium up`"
        ) from None
    if status == HTTPStatus.NOT_FOUND:
        raise StackError(
            f"{_SERVICE} has heard nothing of this ticket ({place}); look for its request with"
            " `premium redrive intake --list`"
        )
    if status != HTTPStatus.OK:
        raise StackError(f"{_SERVICE} answers {status}; see `premium logs {_SERVICE}`")
    try:
        return kind.model_validate_json(told)
    except ValidationError:
        raise StackError(
            f"{_SERVICE} answers what this command cannot read: both must be of one version"
        ) from None
