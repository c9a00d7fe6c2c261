"""`premium policy check|lint|apply`: a policy looked over, looked ahead, and put in force."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from premium.errors import CommandError
from premium.files import checked
from premium.policy.changes import changes
from premium.policy.lint import lint as lint_policy
from premium.policy.publication import now, publish
from premium.profile import CHECK, Profile, read_profile
from shared.basics.errors import Transient
from shared.sla.policies import Policy, default_policy
from shared.sla.policies.files import load_policy

__all__ = ["policy"]


policy = typer.Typer(
    help="Look a policy over, look ahead, and put it in force.", no_args_is_help=True
)


@policy.command()
def check(file: Annotated[Path, typer.Argument(help="a policy in YAML")]) -> None:
    """Name every fault of FILE with its place; exit with 2 if there is one."""
    found = checked(_load, file)
    typer.echo(f"{_title(found)}: {len(found.rules)} rules, no fault")


@policy.command()
def lint(
    file: Annotated[Path | None, typer.Argument(help="a policy; the built-in one if none")] = None,
    *,
    zone: Annotated[list[str] | None, typer.Option(help="a zone of accounts; repeatable")] = None,
    region: Annotated[
        list[str] | None, typer.Option(help="a region of accounts, as DE-BY; repeatable")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="the first day; today if none"),
    ] = None,
) -> None:
    """Tell what shifts of clocks and holidays of the next 24 months do to due times."""
    found = default_policy() if file is None else checked(_load, file)
    first = _today() if since is None else since.date()
    try:
        told = [*lint_policy(found, since=first, zones=zone or (), regions=region or ())]
    except ValueError as e:
        raise CommandError(str(e)) from e
    typer.echo("\n".join(told))


@policy.command()
def apply(file: Annotated[Path, typer.Argument(help="a policy in YAML")]) -> None:
    """Publish FILE: from now on intake prices by it. What is accepted keeps its promises."""
    found = checked(_load, file)
    before = _of_deployment(lambda profile: asyncio.run(publish(profile, found)))
    typer.echo(f"{_title(found)} is in force, after {_title(before)}")
    for line in changes(before, found):
        typer.echo(f"  {line}")


def _load(file: Path) -> Policy:
    return load_policy(file, note=typer.echo)


def _title(found: Policy) -> str:
    return f"policy {found.policy_id}, version {found.version}"


def _today() -> date:
    """Ask intake's PostgreSQL for the day."""
    return _of_deployment(lambda profile: asyncio.run(now(profile))).astimezone(UTC).date()


def _of_deployment[T](ask: Callable[[Profile], T]) -> T:
    try:
        return ask(read_profile())
    except Transient as e:
        raise CommandError(f"{e}; {CHECK}") from e
