"""`premium webhooks apply|list|remove`: which systems may send webhooks, and what they mean."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from premium.errors import CommandError
from premium.files import checked
from premium.profile import CHECK, read_profile
from premium.webhooks import store
from premium.webhooks.changes import changes, title
from shared.basics.errors import Transient
from shared.platform.postgres import Database, Tx
from shared.webhooks import WebhookConnection, load_connections

__all__ = ["apply_connections", "webhooks"]


webhooks = typer.Typer(
    help="Say which systems may send webhooks, and what they mean.", no_args_is_help=True
)


@webhooks.command("apply")
def apply(
    file: Annotated[Path, typer.Argument(help="connections in YAML")],
    *,
    dry_run: Annotated[bool, typer.Option(help="Only show what would change.")] = False,
) -> None:
    """Put the connections of FILE in force; others stay. Exit with 2 if FILE has a fault."""
    found = checked(load_connections, file)
    for line in _of_intake(lambda tx: apply_connections(tx, found, dry_run=dry_run)):
        typer.echo(line)


@webhooks.command("list")
def list_() -> None:
    """List the connections in force."""
    for connection in _of_intake(store.connections).values():
        typer.echo(f"{title(connection)}, source {connection.mapping.source}")


@webhooks.command("remove")
def remove(name: Annotated[str, typer.Argument(help="a connection")]) -> None:
    """Take the connection NAME out of force: what it sends is answered 404 from now on."""
    if not _of_intake(lambda tx: store.remove(tx, name)):
        raise CommandError(f"no connection {name!r}; `premium webhooks list` has them")
    typer.echo(f"- {name}")


async def apply_connections(
    tx: Tx, found: tuple[WebhookConnection, ...], *, dry_run: bool = False
) -> list[str]:
    """Save what differs, unless only asked; a line for each comes back, and one for all."""
    before = await store.connections(tx)
    changed = [c for c in found if before.get(c.name) != c]
    if not dry_run:
        await store.save(tx, changed)
    said = f"{len(changed)} {'would change' if dry_run else 'changed'}"
    return [*changes(before, found), f"{said}, {len(found) - len(changed)} as they were"]


def _of_intake[T](ask: Callable[[Tx], Awaitable[T]]) -> T:
    """Ask in one transaction on the database of intake."""

    async def asked() -> T:
        db = Database(read_profile().dsn("intake"), service="premium")
        await db.start()
        try:
            async with db.transaction() as tx:
                return await ask(tx)
        finally:
            await db.stop()

    try:
        return asyncio.run(asked())
    except Transient as e:
        raise CommandError(f"{e}; {CHECK}") from e
