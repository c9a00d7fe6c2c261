"""`premium up|status|logs|down`: the local stack."""

import os
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from devstack.addresses import Addresses
from devstack.console import ConsoleReporter
from devstack.databases import DATABASES
from devstack.settings import Settings
from devstack.stack import Stack, State
from premium.errors import CommandError
from premium.interrupt import run
from premium.profile import SERVICES
from shared.platform.settings import load

__all__ = ["down", "logs", "status", "up"]

_TAIL_LINES = "200"


def up() -> None:
    """Start PostgreSQL, Kafka, the four services and a mail sink, unless they run."""
    console = Console()
    settings = load(Settings)
    dsn = settings.postgres_dsn
    stack = Stack(
        settings.home,
        kafka_bootstrap=settings.kafka_bootstrap,
        postgres_dsn=dsn.get_secret_value() if dsn is not None else None,
        postgres_pooler=settings.postgres_pooler,
        report=ConsoleReporter(console),
    )
    addresses = run(stack.up())
    console.print(_where(addresses, stack))


def down(
    *, wipe: Annotated[bool, typer.Option("--wipe", help="Delete the data as well.")] = False
) -> None:
    """Stop everything: the services first, then the servers that they need."""
    home = load(Settings).home
    report = ConsoleReporter(Console())
    stack = Stack(home, report=report)
    run(stack.down(wipe=wipe))
    report.line(f"Nothing runs in {stack.folder}" + (" and all data is deleted" if wipe else ""))


def status() -> None:
    """Show what runs and whether it is ready. Exit with 1 if anything is not."""
    stack = Stack.attach(load(Settings).home)
    states = run(stack.states())
    Console().print(_states(states))
    raise typer.Exit(0 if all(state.reason is None for state in states) else 1)


def logs(
    service: Annotated[str, typer.Argument(help="A service, or postgres, kafka, mail.")],
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Show new lines as they come.")
    ] = False,
) -> None:
    """Show the end of a log."""
    log = Stack.attach(load(Settings).home).log(service)
    if not log.exists():
        raise CommandError(f"{service} has no log, because it has not run yet")
    how = ["-F"] if follow else []
    os.execvp("tail", ["tail", "-n", _TAIL_LINES, *how, str(log)])  # noqa: S606, S607


def _where(addresses: Addresses, stack: Stack) -> Table:
    table = Table("What", "Where", box=None, header_style="bold", pad_edge=False)
    for service in SERVICES:
        table.add_row(service, addresses.http(service))
    table.add_row("mails", addresses.mail_page)
    table.add_row("Kafka", addresses.kafka_bootstrap)
    for db in DATABASES:
        table.add_row(f"PostgreSQL, {db}", _without_password(addresses.dsn(db)))
    table.add_row("key", f"curl -H @{stack.folder / 'key'} …")
    table.add_row("for a shell", f". {stack.folder / 'env'}")
    table.add_row("profile", str(stack.profile.file))
    table.add_row("passwords", str(stack.folder / "stack.json"))
    table.add_row("logs", str(stack.folder / "logs"))
    return table


def _without_password(dsn: str) -> str:
    server = urlsplit(dsn)
    return f"postgresql://{server.username}@{server.hostname}:{server.port}{server.path}"


def _states(states: list[State]) -> Table:
    table = Table("What", "State", "Process", box=None, header_style="bold", pad_edge=False)
    for state in states:
        table.add_row(state.title, _state(state), str(state.pid or ""))
    return table


def _state(state: State) -> str:
    if state.reason is None:
        return "[green]ready[/]"
    return "[red]stopped[/]" if state.pid is None else f"[red]not ready[/]: {escape(state.reason)}"
