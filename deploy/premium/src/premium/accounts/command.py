"""`premium accounts import FILE`: publish the accounts of a file, and show intake's replies."""

from pathlib import Path
from typing import Annotated

import typer

from premium.accounts.replies import Import
from premium.accounts.topic import current, publish_and_wait
from premium.differences import changes
from premium.errors import CommandError
from premium.files import checked
from premium.interrupt import run_on_deployment
from premium.profile import read_profile
from shared.basics.errors import Poison
from shared.listings import read_accounts

__all__ = ["accounts"]

accounts = typer.Typer(help="List the accounts that bought Premium Support.", no_args_is_help=True)


@accounts.callback()
def _keep_subcommand_name() -> None:
    """Make typer require the name of the only subcommand."""


@accounts.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="accounts in YAML, or in CSV (*.csv)")],
    *,
    dry_run: Annotated[bool, typer.Option(help="Only show what would change.")] = False,
) -> None:
    """Publish the accounts of FILE that are new or changed; other accounts stay.

    Intake's reply about each account is shown. Requests that are held, or were rejected within the
    last 24 hours for lack of an entitlement, are checked again. Exit with 2 if FILE has a fault,
    with 1 if intake refused an account.
    """
    found = checked(read_accounts, file)
    profile = read_profile()
    before = run_on_deployment(current(profile.kafka_bootstrap, profile.topic_prefix))
    new = [account for account in found if before.get(account.account_id) != account]
    for line in changes(before, new):
        typer.echo(line)
    same = len(found) - len(new)
    if dry_run:
        typer.echo(f"{len(new)} would change, {same} unchanged")
        return
    try:
        imports = run_on_deployment(publish_and_wait(profile, new)) if new else {}
    except Poison as e:
        raise CommandError(f"{e.detail}") from e
    for account_id, one in sorted(imports.items()):
        typer.echo(f"{account_id}: {_outcome(one)}")
    refused = sum(one.answer.outcome == "refused" for one in imports.values())
    typer.echo(f"{len(new) - refused} changed, {refused} refused, {same} unchanged")
    if refused:
        raise typer.Exit(1)


def _outcome(one: Import) -> str:
    answer = one.answer
    if answer.outcome == "refused":
        return f"refused: {answer.reason}: {answer.remedy}"
    seats = answer.seats if isinstance(answer.seats, str) else f"{answer.seats or 0:,}"
    in_parts = f", in {one.records} records" if one.records > 1 else ""
    return f"listed: super admins {answer.super_admins or 0:,}, seats {seats}{in_parts}"
