"""`premium keys create|rotate|revoke|list`: API keys of the services."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Annotated, Final, Literal

import asyncpg
import typer
from rich.console import Console

from premium.errors import CommandError
from premium.keys import store
from premium.profile import read_profile
from shared.platform.api_keys import EVERY, SCOPES, ApiKey, Keyed, Scope

__all__ = ["keys", "lines_of"]

_WIDTH: Final = 80
_INDENT: Final = " " * 10
_SCOPES: Final = "; ".join(f"{name}: {', '.join(scopes)}" for name, scopes in SCOPES.items())
_OWNED: Final[Mapping[Keyed, str]] = {
    "intake": "source",
    "router": "specialist",
    "sla-monitor": "account",
}
"""What a key of each service may be limited to; the name of the option for it."""

type _Work[T] = Callable[[asyncpg.Connection], Awaitable[T]]

keys = typer.Typer(help="API keys of the services: make, replace, revoke, list.")

Tenant = Annotated[str, typer.Argument(help="the owner of the key")]
Name = Annotated[str, typer.Argument(help="what it is for, such as web-form")]
type _Service = Literal["intake", "router", "sla-monitor"]
Service = Annotated[_Service, typer.Option(help="the service whose API it opens")]


@keys.command()
def create(  # noqa: PLR0913, PLR0917 - each is an option of the command
    tenant: Tenant,
    name: Name,
    scope: Annotated[list[str], typer.Option(help=f"repeatable: {_SCOPES}")],
    service: Service = "intake",
    source: Annotated[
        list[str] | None,
        typer.Option(help="intake: a source the tenant owns from now on; repeatable"),
    ] = None,
    specialist: Annotated[
        list[str] | None,
        typer.Option(help="router: a specialist for whom the tenant may act; repeatable"),
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(help="sla-monitor: limit it to this account; repeatable; default: all"),
    ] = None,
    days: Annotated[
        int | None, typer.Option(help="expires after so many days; default: never", min=1, max=3650)
    ] = None,
    rate: Annotated[int, typer.Option(help="requests a second", min=1)] = store.RATE_PER_S,
    burst: Annotated[int, typer.Option(help="requests at once", min=1)] = store.BURST,
) -> None:
    """Make a key and show it, once: only its SHA-256 is stored."""
    named: dict[Keyed, list[str] | None] = {
        "intake": source,
        "router": specialist,
        "sla-monitor": account,
    }
    owned = _owned(service, named)
    grant = store.Grant(tenant, name, _scopes(service, scope), owned, days, rate, burst, service)
    _show(_as_owner(service, lambda connection: store.create(connection, grant)))


@keys.command()
def rotate(tenant: Tenant, name: Name, service: Service = "intake") -> None:
    """Make a second key like the one in force; revoke the first when nothing uses it any more."""
    _show(_as_owner(service, lambda connection: store.rotate(connection, tenant, name, service)))


@keys.command()
def revoke(
    prefix: Annotated[str, typer.Argument(help="the 8 characters after pk_; see `list`")],
    service: Service = "intake",
) -> None:
    """Revoke a key. It is refused within a second."""
    _as_owner(service, lambda connection: store.revoke(connection, prefix))
    Console().print(f"{prefix} is revoked")


@keys.command("list")
def list_(service: Service = "intake") -> None:
    """List all keys without their secrets: owner, scopes, and when each was last used."""
    for key in _as_owner(service, lambda connection: store.listed(connection, service)):
        for line in lines_of(key, f"{_OWNED[service]}s"):
            typer.echo(line)


def lines_of(key: store.Listed, owned: str) -> Iterator[str]:
    """Describe a key in lines of at most 80 characters, unless a name is longer.

    The time at which it was made distinguishes two keys of one name.
    """
    yield f"{key.prefix}  {key.tenant} {key.name}: {key.state}"
    times = {"made": key.created_at, "expires": key.expires_at, "last used": key.last_used_at}
    texts = (f"{n} {f'{at:%Y-%m-%d %H:%M}' if at else 'never'}" for n, at in times.items())
    yield _INDENT + ", ".join(texts)
    allowed = ["all" if one == EVERY else one for one in key.owned]
    for title, names in (("scopes", key.scopes), (owned, allowed)):
        text = f"{title}: {', '.join(names) or 'none'}"
        yield from wrap(
            text,
            _WIDTH,
            initial_indent=_INDENT,
            subsequent_indent=_INDENT + "  ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _scopes(service: Keyed, names: list[str]) -> list[Scope]:
    known = SCOPES[service]
    unknown = sorted(set(names).difference(known))
    if unknown:
        raise CommandError(f"{service} has no scope {unknown[0]}: choose among {', '.join(known)}")
    return [scope for scope in known if scope in names]


def _owned(service: Keyed, named: Mapping[Keyed, list[str] | None]) -> Sequence[str]:
    for other, given in named.items():
        if given and other != service:
            raise CommandError(
                f"{service} has no {_OWNED[other]}s: did you mean --service {other},"
                f" or --{_OWNED[service]}?"
            )
    return named[service] or ()


def _show(key: ApiKey) -> None:
    typer.echo("Copy this key to your secret store now: it is not shown again.", err=True)
    typer.echo(key.text)


def _as_owner[T](service: Keyed, work: _Work[T]) -> T:
    dsn = read_profile().dsn(service)

    async def done() -> T:
        async with store.connected(dsn) as connection:
            return await work(connection)

    return asyncio.run(done())
