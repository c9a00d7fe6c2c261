"""`premium explain TICKET`: what was promised, what happened, what is next, and why due then."""

from typing import Annotated, Final
from uuid import UUID

import httpx
import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console

from premium.explain.answers import Clocks, Timeline
from premium.explain.view import explained
from premium.settings import Settings
from premium.stack import Stack
from premium.stack.errors import StackError
from shared.events import ticket_id_of
from shared.settings import load

__all__ = ["explain", "ticket_named"]

_ASK_S: Final = 10.0
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
    with httpx.Client(base_url=door, trust_env=False, timeout=_ASK_S) as http:
        clocks = _asked(http, ticket_id, "clocks", Clocks)
        timeline = _asked(http, ticket_id, "timeline", Timeline)
    Console().print(explained(clocks, timeline))


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


def _asked[T: BaseModel](http: httpx.Client, ticket_id: UUID, what: str, answer: type[T]) -> T:
    try:
        told = http.get(f"/v1/tickets/{ticket_id}/{what}")
    except httpx.HTTPError as e:
        raise StackError(
            f"{_SERVICE} does not answer at {http.base_url} ({type(e).__name__});"
            " see `premium status`, then `premium up`"
        ) from None
    if told.status_code == httpx.codes.NOT_FOUND:
        raise StackError(
            f"no ticket {ticket_id}: {_SERVICE} has heard nothing of it; look for its request with"
            " `premium redrive intake --list`"
        )
    if not told.is_success:
        raise StackError(f"{_SERVICE} answers {told.status_code}; see `premium logs {_SERVICE}`")
    try:
        return answer.model_validate_json(told.content)
    except ValidationError:
        raise StackError(
            f"{_SERVICE} answers what this command cannot read: both must be of one version"
        ) from None
