"""`premium inbox link SPECIALIST`: let somebody into the inbox."""

from typing import Annotated

import typer

from premium.interrupt import run
from premium.settings import Settings
from premium.stack import Stack, StackError
from premium.stack.links import inbox_link, is_listed
from shared.platform.settings import load
from shared.web.visitors import Person

__all__ = ["inbox"]

inbox = typer.Typer(help="The pages at which specialists and their lead work.")


@inbox.command()
def link(
    specialist: Annotated[str, typer.Argument(help="their id on the roster")],
    *,
    lead: Annotated[bool, typer.Option("--lead", help="May see and move what is others'.")] = False,
) -> None:
    """Make a personal link, and show it once: it lets one person in within 15 minutes."""
    addresses = Stack.attach(load(Settings).home).addresses

    async def made() -> str:
        if not await is_listed(addresses, specialist):
            raise StackError(f"{specialist} is not on the roster: see `premium roster import`")
        return await inbox_link(addresses, Person(specialist, lead=lead))

    typer.echo(run(made()))
