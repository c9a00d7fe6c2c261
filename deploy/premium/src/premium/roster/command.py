"""`premium roster import FILE`: publish the specialists of a file."""

from pathlib import Path
from typing import Annotated

import typer

from premium.differences import changes
from premium.files import checked
from premium.interrupt import run_on_deployment
from premium.profile import read_profile
from premium.roster.topic import current, publish_and_wait, with_current_presence
from shared.listings import read_roster

__all__ = ["roster"]

roster = typer.Typer(
    help="List the specialists: languages, shifts, capacity.", no_args_is_help=True
)


@roster.callback()
def _keep_subcommand_name() -> None:
    """Make typer require the name of the only subcommand."""


@roster.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="specialists in YAML, or in CSV (*.csv)")],
    *,
    dry_run: Annotated[bool, typer.Option(help="Only show what would change.")] = False,
) -> None:
    """Publish the specialists of FILE that are new or changed; others stay on the roster.

    Ends when router has read them. Exit with 2 if FILE has a fault.
    """
    found = checked(read_roster, file)
    profile = read_profile()
    before = run_on_deployment(current(profile.kafka_bootstrap, profile.topic_prefix))
    new = [
        one for one in with_current_presence(before, found) if before.get(one.specialist_id) != one
    ]
    for line in changes(before, new):
        typer.echo(line)
    if new and not dry_run:
        run_on_deployment(publish_and_wait(profile, new))
    same = len(found) - len(new)
    typer.echo(f"{len(new)} {'would change' if dry_run else 'changed'}, {same} unchanged")
