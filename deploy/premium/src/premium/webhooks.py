"""`premium webhooks apply|list|remove`: connections of other systems that send webhooks."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from premium.api import ServiceApi, admin_api
from premium.files import checked
from premium.interrupt import run
from premium.profile import read_profile
from shared.webhooks import WebhookConnection, load_connections

__all__ = ["webhooks"]


webhooks = typer.Typer(
    help="Which systems may send webhooks, and what these mean.", no_args_is_help=True
)


@webhooks.command("apply")
def apply(
    file: Annotated[Path, typer.Argument(help="connections in YAML")],
    *,
    dry_run: Annotated[bool, typer.Option(help="Only show what would change.")] = False,
) -> None:
    """Put the connections of FILE in force; others stay. Exit with 2 if FILE has a fault."""
    found = checked(load_connections, file)
    for line in run(_apply(_intake(), found, dry_run=dry_run)):
        typer.echo(line)


@webhooks.command("list")
def list_() -> None:
    """List the connections in force."""
    for connection in run(_connections(_intake())).values():
        typer.echo(f"{_title(connection)}, source {connection.mapping.source}")


@webhooks.command("remove")
def remove(name: Annotated[str, typer.Argument(help="a connection")]) -> None:
    """Remove the connection NAME: its webhooks are answered with 404 from now on."""
    run(_intake().send("DELETE", f"/webhooks/{quote(name, safe='')}", type(None)))
    typer.echo(f"- {name}")


def _intake() -> ServiceApi:
    return admin_api(read_profile(), "intake")


async def _connections(intake: ServiceApi) -> dict[str, WebhookConnection]:
    documents = await intake.get("/webhooks", list[dict[str, Any]])
    return {one["name"]: WebhookConnection.model_validate(one) for one in documents}


async def _apply(
    intake: ServiceApi, found: tuple[WebhookConnection, ...], *, dry_run: bool
) -> list[str]:
    """Save the connections that differ, and describe them; a dry run only describes them."""
    before = await _connections(intake)
    changed = [c for c in found if before.get(c.name) != c]
    for one in changed if not dry_run else ():
        await intake.send("PUT", f"/webhooks/{one.name}", type(None), one.document)
    count = f"{len(changed)} {'would change' if dry_run else 'changed'}"
    return [*_changes(before, changed), f"{count}, {len(found) - len(changed)} unchanged"]


def _changes(
    before: Mapping[str, WebhookConnection], changed: Iterable[WebhookConnection]
) -> Iterator[str]:
    for connection in changed:
        old = before.get(connection.name)
        if old is None:
            yield f"+ {_title(connection)}"
        else:
            parts = [name for name, value in connection if getattr(old, name) != value]
            yield f"~ {_title(connection)}: {', '.join(parts)}"


def _title(connection: WebhookConnection) -> str:
    where = f"/v1/webhooks/{connection.kind}/{connection.name}"
    return f"{where} (secrets {', '.join(connection.secrets)})"
