"""`premium roster import FILE`: specialists from a file, looked at before they count."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from premium.errors import CommandError
from premium.files import checked
from premium.listings import changes
from premium.profile import CHECK, read_profile
from premium.roster.files import read
from premium.roster.publication import current, present, publish
from shared.basics.errors import Transient

__all__ = ["roster"]

roster = typer.Typer(help="Say who answers, when, and how much at once.", no_args_is_help=True)


@roster.callback()
def _always_by_name() -> None:
    """Keep the name of the one command needed."""


@roster.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="specialists in YAML, or in CSV (*.csv)")],
    *,
    dry_run: Annotated[bool, typer.Option(help="Only show what would change.")] = False,
) -> None:
    """Publish the specialists of FILE that differ from what was told last; nobody is removed.

    Exit with 2 if FILE has a fault.
    """
    found = checked(read, file)
    profile = read_profile()
    try:
        before = asyncio.run(current(profile.kafka_bootstrap, profile.topic_prefix))
        new = [one for one in present(before, found) if before.get(one.specialist_id) != one]
        for line in changes(before, new):
            typer.echo(line)
        if new and not dry_run:
            asyncio.run(publish(profile, new))
    except Transient as e:
        raise CommandError(f"{e}; {CHECK}") from e
    same = len(found) - len(new)
    typer.echo(f"{len(new)} {'would change' if dry_run else 'changed'}, {same} as they were")
