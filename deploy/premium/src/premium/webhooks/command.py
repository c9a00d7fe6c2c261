"""`premium webhooks apply|list|remove`: connections of other systems that send webhooks."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from premium.database import transaction
from premium.errors import CommandError
from premium.files import checked
from premium.interrupt import run
from premium.profile import read_profile
from premium.webhooks import store
from shared.platform.postgres import Tx
from shared.webhooks import WebhookConnection, load_connections

__all__ = ["apply_connections", "webhooks"]


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
    for line in _in_intake(lambda tx: apply_connections(tx, found, dry_run=dry_run)):
        typer.echo(line)


@webhooks.command("list")
def list_() -> None:
    """List the connections in force."""
    for connection in _in_intake(store.connections).values():
        typer.echo(f"{_title(connection)}, source {connection.mapping.source}")


@webhooks.command("remove")
def remove(name: Annotated[str, typer.Argument(help="a connection")]) -> None:
    """Remove the connection NAME: its webhooks are answered with 404 from now on."""
    if not _in_intake(lambda tx: store.remove(tx, name)):
        raise CommandError(f"no connection {name!r}; `premium webhooks list` shows all")
    typer.echo(f"- {name}")


async def apply_connections(
    tx: Tx, found: tuple[WebhookConnection, ...], *, dry_run: bool = False
) -> list[str]:
    """Save the connections that differ from the stored ones, and describe them.

    A dry run saves nothing.
    """
    before = await store.connections(tx)
    changed = [c for c in found if before.get(c.name) != c]
    if not dry_run:
        await store.save(tx, changed)
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


def _in_intake[T](work: Callable[[Tx], Awaitable[T]]) -> T:
    """Run work in one transaction of intake's database."""

    async def done() -> T:
        async with transaction(read_profile(), "intake") as tx:
            return await work(tx)

    return run(done())
