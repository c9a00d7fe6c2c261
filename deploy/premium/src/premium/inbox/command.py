"""`premium inbox link SPECIALIST`: make a sign-in link into the inbox."""

from typing import Annotated

import typer

from premium.inbox.store import inbox_link
from premium.interrupt import run
from premium.profile import read_profile
from shared.web.visitors import Person

__all__ = ["inbox"]

inbox = typer.Typer(help="The pages at which specialists and leads work.")


@inbox.command()
def link(
    specialist: Annotated[str, typer.Argument(help="their id on the roster")],
    *,
    lead: Annotated[
        bool, typer.Option("--lead", help="May see and move the tickets of others.")
    ] = False,
) -> None:
    """Make a personal link and show it, once: it signs one person in, within 15 minutes."""
    typer.echo(run(inbox_link(read_profile(), Person(specialist, lead=lead))))
