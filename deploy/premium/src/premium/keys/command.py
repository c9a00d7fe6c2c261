"""`premium keys create|rotate|revoke|list`: who may use the doors of the services."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Annotated, Final, Literal

import asyncpg
import typer
from rich.console import Console

from premium.errors import CommandError
from premium.keys import store as kept
from premium.profile import read_profile
from shared.platform.api_keys import EVERY, SCOPES, ApiKey, Keyed, Scope

__all__ = ["keys", "lines_of"]

_WIDTH: Final = 80
_INDENT: Final = " " * 10
_CHOICE: Final = "; ".join(f"{name}: {', '.join(scopes)}" for name, scopes in SCOPES.items())
_OWNED: Final[Mapping[Keyed, str]] = {
    "intake": "sources",
    "router": "specialists",
    "sla-monitor": "accounts",
}
_OPTIONS: Final[Mapping[Keyed, str]] = {
    "intake": "--source",
    "router": "--specialist",
    "sla-monitor": "--account",
}

type _Work[T] = Callable[[asyncpg.Connection], Awaitable[T]]

keys = typer.Typer(help="Who may use the doors of the services: make, replace, end keys.")

Tenant = Annotated[str, typer.Argument(help="whose key it is")]
Name = Annotated[str, typer.Argument(help="what it is for, such as web-form")]
type _Door = Literal["intake", "router", "sla-monitor"]
Service = Annotated[_Door, typer.Option(help="whose door it opens")]


@keys.command()
def create(  # noqa: PLR0913, PLR0917 - each is an option of the command
    tenant: Tenant,
    name: Name,
    scope: Annotated[list[str], typer.Option(help=f"repeatable: {_CHOICE}")],
    service: Service = "intake",
    source: Annotated[
        list[str] | None,
        typer.Option(help="intake: a source the tenant owns from now on; repeatable"),
    ] = None,
    specialist: Annotated[
        list[str] | None,
        typer.Option(help="router: as whom the tenant may act from now on; repeatable"),
    ] = None,
    account: Annotated[
        list[str] | None,
        typer.Option(help="sla-monitor: an account it is limited to; repeatable; all if none"),
    ] = None,
    days: Annotated[
        int | None, typer.Option(help="how long it counts; for ever if none", min=1, max=3650)
    ] = None,
    rate: Annotated[int, typer.Option(help="requests a second", min=1)] = 2_000,
    burst: Annotated[int, typer.Option(help="requests at once", min=1)] = 4_000,
) -> None:
    """Make a key and show it, once: only its SHA-256 is kept."""
    named: dict[Keyed, list[str] | None] = {
        "intake": source,
        "router": specialist,
        "sla-monitor": account,
    }
    owned = _owned(service, named)
    grant = kept.Grant(tenant, name, _scopes(service, scope), owned, days, rate, burst, service)
    _show(_as_owner(service, lambda connection: kept.create(connection, grant)))


@keys.command()
def rotate(tenant: Tenant, name: Name, service: Service = "intake") -> None:
    """Make a second key like the one in force, and show it; revoke the first when it is unused."""
    _show(_as_owner(service, lambda connection: kept.rotate(connection, tenant, name, service)))


@keys.command()
def revoke(
    prefix: Annotated[str, typer.Argument(help="the 8 characters after pk_; see `list`")],
    service: Service = "intake",
) -> None:
    """End a key. It is refused within a second."""
    _as_owner(service, lambda connection: kept.revoke(connection, prefix))
    Console().print(f"{prefix} is revoked")


@keys.command("list")
def list_(service: Service = "intake") -> None:
    """Show all keys but their secrets: whose, for what, and when each was last used."""
    for key in _as_owner(service, lambda connection: kept.kept(connection, service)):
        for line in lines_of(key, _OWNED[service]):
            typer.echo(line)


def lines_of(key: kept.Listed, owned: str) -> Iterator[str]:
    """Describe a key in lines of at most 80 characters, as far as its names allow.

    When it was made tells two keys of one name apart.
    """
    yield f"{key.prefix}  {key.tenant} {key.name}: {key.state}"
    moments = {"made": key.created_at, "expires": key.expires_at, "last used": key.last_used_at}
    said = (f"{n} {f'{at:%Y-%m-%d %H:%M}' if at else 'never'}" for n, at in moments.items())
    yield _INDENT + ", ".join(said)
    reached = ["all" if one == EVERY else one for one in key.owned]
    for title, names in (("scopes", key.scopes), (owned, reached)):
        text = f"{title}: {', '.join(names) or 'none'}"
        yield from wrap(
            text,
            _WIDTH,
            initial_indent=_INDENT,
            subsequent_indent=_INDENT + "  ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _scopes(service: Keyed, asked: list[str]) -> list[Scope]:
    known = SCOPES[service]
    unknown = sorted(set(asked).difference(known))
    if unknown:
        raise CommandError(f"{service} has no scope {unknown[0]}: choose among {', '.join(known)}")
    return [scope for scope in known if scope in asked]


def _owned(service: Keyed, named: Mapping[Keyed, list[str] | None]) -> Sequence[str]:
    for other, given in named.items():
        if given and other != service:
            raise CommandError(
                f"{service} knows no {_OWNED[other]}: did you mean --service {other},"
                f" or {_OPTIONS[service]}?"
            )
    return named[service] or ()


def _show(key: ApiKey) -> None:
    typer.echo("It is shown once; keep it where secrets are kept:", err=True)
    typer.echo(key.text)


def _as_owner[T](service: Keyed, work: _Work[T]) -> T:
    dsn = read_profile().dsn(service)

    async def done() -> T:
        async with kept.connected(dsn) as connection:
            return await work(connection)

    return asyncio.run(done())
