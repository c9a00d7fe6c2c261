"""`premium keys create|rotate|revoke|list|first`: API keys of the services."""

from collections.abc import Coroutine, Iterator, Mapping
from textwrap import wrap
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from premium.api import ServiceApi, admin_api
from premium.database import transaction
from premium.errors import CommandError
from premium.interrupt import run
from premium.profile import Profile, read_profile
from shared.platform.admin_api import BURST, RATE_PER_S, IssuedKey, KeyInfo, NewKey
from shared.platform.api_keys import EVERY, SCOPES, Keyed, make_key

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

keys = typer.Typer(help="API keys of the services: make, replace, revoke, list.")

Tenant = Annotated[str, typer.Argument(help="the owner of the key")]
Name = Annotated[str, typer.Argument(help="what it is for, such as web-form")]
Service = Annotated[Keyed, typer.Option(help="the service whose API it opens")]


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
    rate: Annotated[int, typer.Option(help="requests a second", min=1)] = RATE_PER_S,
    burst: Annotated[int, typer.Option(help="requests at once", min=1)] = BURST,
) -> None:
    """Make a key and show it, once: only its SHA-256 is stored."""
    owned = {"source": source, "specialist": specialist, "account": account}
    body = {
        "tenant": tenant,
        "name": name,
        "scopes": scope,
        "owned": _owned(service, owned),
        "days": days,
        "rate_per_s": rate,
        "burst": burst,
    }
    _show(_api(service).send("POST", "/keys", IssuedKey, body))


@keys.command()
def rotate(tenant: Tenant, name: Name, service: Service = "intake") -> None:
    """Make a second key like the one in force; revoke the first when nothing uses it any more."""
    body = {"tenant": tenant, "name": name}
    _show(_api(service).send("POST", "/keys/rotate", IssuedKey, body))


@keys.command()
def revoke(
    prefix: Annotated[str, typer.Argument(help="the 8 characters after pk_; see `list`")],
    service: Service = "intake",
) -> None:
    """Revoke a key. It is refused within a second."""
    run(_api(service).send("DELETE", f"/keys/{prefix}", type(None)))
    Console().print(f"{prefix} is revoked")


@keys.command("list")
def list_(service: Service = "intake") -> None:
    """List all keys without their secrets: owner, scopes, and when each was last used."""
    for key in run(_api(service).get("/keys", list[KeyInfo])):
        for line in lines_of(key, _OWNED.get(service)):
            typer.echo(line)


@keys.command()
def first(tenant: Tenant, name: Name, service: Service = "intake") -> None:
    """Make the first admin key of a service, in its database; refuse if one is in force.

    It makes all other keys. The profile must have the DSN of the owner of the database.
    """
    _show(_first(read_profile(), service, NewKey(tenant=tenant, name=name, scopes=["admin"])))


async def _first(profile: Profile, service: Keyed, new: NewKey) -> IssuedKey:
    from shared.platform.access import store  # noqa: PLC0415 - slow: it loads FastAPI

    key = make_key()
    try:
        async with transaction(profile.dsn(service), service) as tx:
            made = await store.create_first(tx, service, new, key)
    except store.RefusedError as e:
        raise CommandError(f"{service}: {e}") from e
    return IssuedKey(**made.model_dump(), key=key.text)


def lines_of(key: KeyInfo, owned: str | None) -> Iterator[str]:
    """Describe a key in lines of at most 80 characters, unless a name is longer.

    The time at which it was made distinguishes two keys of one name.
    """
    yield f"{key.prefix}  {key.tenant} {key.name}: {key.state}"
    times = {"made": key.created_at, "expires": key.expires_at, "last used": key.last_used_at}
    texts = (f"{n} {f'{at:%Y-%m-%d %H:%M}' if at else 'never'}" for n, at in times.items())
    yield _INDENT + ", ".join(texts)
    lists = {"scopes": key.scopes}
    if owned is not None:
        lists[f"{owned}s"] = ["all" if one == EVERY else one for one in key.owned]
    for title, names in lists.items():
        yield from wrap(
            f"{title}: {', '.join(names) or 'none'}",
            _WIDTH,
            initial_indent=_INDENT,
            subsequent_indent=_INDENT + "  ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _owned(service: Keyed, named: Mapping[str, list[str] | None]) -> list[str]:
    for option, given in named.items():
        if given and option != _OWNED.get(service):
            [other] = [name for name, its_option in _OWNED.items() if its_option == option]
            raise CommandError(f"{service} has no {option}s: did you mean --service {other}?")
    return named.get(_OWNED.get(service, "")) or []


def _api(service: Keyed) -> ServiceApi:
    return admin_api(read_profile(), service)


def _show(making: Coroutine[Any, Any, IssuedKey]) -> None:
    key = run(making).key
    typer.echo("Copy this key to your secret store now: it is not shown again.", err=True)
    typer.echo(key)
