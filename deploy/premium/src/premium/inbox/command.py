"""`premium inbox link SPECIALIST`: let somebody into the inbox."""

from typing import Annotated

import typer

from premium.errors import CommandError
from premium.inbox.store import inbox_link, is_listed
from premium.interrupt import run
from premium.profile import read_profile
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
    profile = read_profile()

    async def made() -> str:
        if not await is_listed(profile, specialist):
            raise CommandError(f"{specialist} is not on the roster: see `premium roster import`")
        return await inbox_link(profile, Person(specialist, lead=lead))

    typer.echo(run(made()))
