"""`premium policy check|lint|apply`: check a policy, preview its due times, put it in force."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from premium.api import now
from premium.errors import CommandError
from premium.files import checked
from premium.interrupt import run_on_deployment
from premium.policy.topic import publish
from premium.profile import read_profile
from shared.sla.policies import Policy, default_policy
from shared.sla.policies.changes import changes
from shared.sla.policies.files import load_policy
from shared.sla.policies.lint import lint as lint_policy

__all__ = ["policy"]


policy = typer.Typer(
    help="Check a policy, preview its due times, put it in force.", no_args_is_help=True
)


@policy.command()
def check(file: Annotated[Path, typer.Argument(help="a policy in YAML")]) -> None:
    """List every fault of FILE with its place; exit with 2 if there is one."""
    found = checked(_load, file)
    typer.echo(f"{_title(found)}: {len(found.rules)} rules, no fault")


@policy.command()
def lint(
    file: Annotated[Path | None, typer.Argument(help="a policy; default: the built-in one")] = None,
    *,
    zone: Annotated[list[str] | None, typer.Option(help="a zone of accounts; repeatable")] = None,
    region: Annotated[
        list[str] | None, typer.Option(help="a region of accounts, as DE-BY; repeatable")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="the first day; default: today"),
    ] = None,
) -> None:
    """List the clock changes and holidays of the next 24 months, and the due times they move."""
    found = default_policy() if file is None else checked(_load, file)
    first = run_on_deployment(now(read_profile())).astimezone(UTC) if since is None else since
    try:
        lines = [*lint_policy(found, since=first.date(), zones=zone or (), regions=region or ())]
    except ValueError as e:
        raise CommandError(str(e)) from e
    typer.echo("\n".join(lines))


@policy.command()
def apply(file: Annotated[Path, typer.Argument(help="a policy in YAML")]) -> None:
    """Publish FILE: it applies to new requests. Accepted tickets keep their promises."""
    found = checked(_load, file)
    before = run_on_deployment(publish(read_profile(), found))
    typer.echo(f"{_title(found)} is in force, after {_title(before)}")
    for line in changes(before, found):
        typer.echo(f"  {line}")


def _load(file: Path) -> Policy:
    return load_policy(file, note=typer.echo)


def _title(found: Policy) -> str:
    return f"policy {found.policy_id}, version {found.version}"
