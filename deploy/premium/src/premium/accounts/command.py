"""`premium accounts import FILE`: entitlements from a file, looked at before they count."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from premium.accounts.answers import Became
from premium.accounts.files import read
from premium.accounts.publication import current, publish_and_hear
from premium.errors import CommandError
from premium.files import checked
from premium.listings import changes
from premium.profile import CHECK, read_profile
from shared.basics.errors import Poison, Transient

__all__ = ["accounts"]

accounts = typer.Typer(help="Tell who has bought Premium Support.", no_args_is_help=True)


@accounts.callback()
def _always_by_name() -> None:
    """Keep the name of the one command needed."""


@accounts.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="accounts in YAML, or in CSV (*.csv)")],
    *,
    dry_run: Annotated[bool, typer.Option(help="Only show what would change.")] = False,
) -> None:
    """Publish the accounts of FILE that differ from what was told last; nobody is removed.

    What intake says became of each is shown. Requests that were held, or rejected within 24 hours
    for want of an entitlement, are judged again. Exit with 2 if FILE has a fault, with 1 if intake
    refused an account.
    """
    found = checked(read, file)
    profile = read_profile()
    try:
        before = asyncio.run(current(profile.kafka_bootstrap, profile.topic_prefix))
        new = [account for account in found if before.get(account.account_id) != account]
        for line in changes(before, new):
            typer.echo(line)
        became = {} if dry_run or not new else asyncio.run(publish_and_hear(profile, new))
    except Poison as e:
        raise CommandError(f"{e.detail}") from e
    except Transient as e:
        raise CommandError(f"{e}; {CHECK}") from e
    same = len(found) - len(new)
    if dry_run:
        typer.echo(f"{len(new)} would change, {same} as they were")
        return
    for account_id, one in sorted(became.items()):
        typer.echo(f"{account_id}: {_said(one)}")
    refused = sum(one.answer.outcome == "refused" for one in became.values())
    typer.echo(f"{len(new) - refused} changed, {refused} refused, {same} as they were")
    if refused:
        raise typer.Exit(1)


def _said(became: Became) -> str:
    answer = became.answer
    if answer.outcome == "refused":
        return f"refused: {answer.reason}: {answer.remedy}"
    seats = answer.seats if isinstance(answer.seats, str) else f"{answer.seats or 0:,}"
    in_parts = f", in {became.records} records" if became.records > 1 else ""
    return f"listed: super admins {answer.super_admins or 0:,}, seats {seats}{in_parts}"
