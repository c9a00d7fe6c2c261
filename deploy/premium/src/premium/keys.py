"""`premium keys create|rotate|revoke|list`: who may use intake's door."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from premium.settings import Settings
from premium.stack import Stack
from premium.stack import keys as kept
from premium.stack.errors import StackError
from shared.keys import SCOPES, ApiKey, Scope
from shared.settings import load

__all__ = ["keys"]

_WIDTHS: Final = {"prefix": 8, "scopes": max(map(len, SCOPES))}
"""What must be readable, or copied, on a narrow screen."""

type _Work[T] = Callable[[asyncpg.Connection], Awaitable[T]]

keys = typer.Typer(help="Who may use intake's door: make keys, replace and end them.")

Tenant = Annotated[str, typer.Argument(help="whose key it is")]
Name = Annotated[str, typer.Argument(help="what it is for, such as web-form")]


@keys.command()
def create(  # noqa: PLR0913, PLR0917 - each is an option of the command
    tenant: Tenant,
    name: Name,
    scope: Annotated[list[str], typer.Option(help=f"repeatable: {', '.join(SCOPES)}")],
    source: Annotated[
        list[str] | None, typer.Option(help="a source the tenant owns from now on; repeatable")
    ] = None,
    days: Annotated[
        int | None, typer.Option(help="how long it counts; for ever if none", min=1, max=3650)
    ] = None,
    rate: Annotated[int, typer.Option(help="requests a second", min=1)] = 2_000,
    burst: Annotated[int, typer.Option(help="requests at once", min=1)] = 4_000,
) -> None:
    """Make a key and show it, once: only its SHA-256 is kept."""
    grant = kept.Grant(tenant, name, _scopes(scope), source or (), days, rate, burst)
    _show(_as_owner(lambda connection: kept.create(connection, grant)))


@keys.command()
def rotate(tenant: Tenant, name: Name) -> None:
    """Make a second key like the one in force, and show it; revoke the first when it is unused."""
    _show(_as_owner(lambda connection: kept.rotate(connection, tenant, name)))


@keys.command()
def revoke(
    prefix: Annotated[str, typer.Argument(help="the 8 characters after pk_; see `list`")],
) -> None:
    """End a key. It is refused within a second."""
    _as_owner(lambda connection: kept.revoke(connection, prefix))
    Console().print(f"{prefix} is revoked")


@keys.command("list")
def list_() -> None:
    """Show all keys but their secrets: whose, for what, and when each was last used."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("prefix", "tenant", "name", "state", "scopes", "sources", "expires", "last used"):
        table.add_column(title, overflow="fold", min_width=_WIDTHS.get(title))
    for key in _as_owner(kept.kept):
        moments = (key.expires_at, key.last_used_at)
        shown = (f"{moment:%Y-%m-%d %H:%M}" if moment else "never" for moment in moments)
        lists = ("\n".join(key.scopes), "\n".join(key.sources))
        table.add_row(key.prefix, key.tenant, key.name, key.state, *lists, *shown)
    Console().print(table)


def _scopes(asked: list[str]) -> list[Scope]:
    unknown = sorted(set(asked).difference(SCOPES))
    if unknown:
        raise StackError(f"no scope {unknown[0]}: choose among {', '.join(SCOPES)}")
    return [scope for scope in SCOPES if scope in asked]


def _show(key: ApiKey) -> None:
    typer.echo("It is shown once; keep it where secrets are kept:", err=True)
    typer.echo(key.text)


def _as_owner[T](work: _Work[T]) -> T:
    dsn = Stack.attach(load(Settings).home).addresses.dsn("intake", owner=True)

    async def done() -> T:
        async with kept.connected(dsn) as connection:
            return await work(connection)

    return asyncio.run(done())
