"""`premium inbox link SPECIALIST`: make a sign-in link into the inbox."""

from typing import Annotated

import typer

from premium.api import admin_api
from premium.interrupt import run
from premium.profile import Profile, read_profile
from shared.platform.admin_api import SignInLink

__all__ = ["inbox", "inbox_link"]

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
    typer.echo(run(inbox_link(read_profile(), specialist, lead=lead)))


async def inbox_link(profile: Profile, specialist: str, *, lead: bool = False) -> str:
    """Make a link that signs a person in once. Raises CommandError if router refuses."""
    body = {"specialist_id": specialist, "lead": lead}
    made = await admin_api(profile, "router").send("POST", "/links", SignInLink, body)
    return f"{profile.url('router')}{made.path}"
