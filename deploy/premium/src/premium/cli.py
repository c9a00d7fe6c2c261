"""What the operator can ask for: every command, and the function that does it."""

from collections.abc import Sequence
from importlib import import_module
from typing import Final

import typer

__all__ = ["app"]

COMMANDS: Final = {
    "up": "premium.commands",
    "status": "premium.commands",
    "logs": "premium.commands",
    "down": "premium.commands",
    "migrate": "premium.migrate",
    "demo": "premium.demo.command",
    "replay": "premium.replay.command",
    "roster": "premium.roster.command",
    "accounts": "premium.accounts.command",
    "policy": "premium.policy.command",
    "webhooks": "premium.webhooks.command",
    "keys": "premium.keys",
    "inbox": "premium.inbox",
    "explain": "premium.explain.command",
    "watch": "premium.watch.command",
    "produce": "premium.records",
    "consume": "premium.records",
    "redrive": "premium.redrive",
    "bench": "premium.bench.command",
    "bench-due": "premium.bench.due.command",
    "bench-intake": "premium.bench.intake.command",
    "bench-infeasible": "premium.bench.infeasible.command",
    "bench-match": "premium.bench.match.command",
}
"""The module that holds the function of the same name, with an underscore for a hyphen."""


def app(asked: Sequence[str]) -> typer.Typer:
    """Load the command that is asked for: to load them all takes longer than most of them."""
    commands = typer.Typer(
        help="Premium Support: the local stack, and what an operator does with it.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    commands.callback()(_always_by_name)
    for name in COMMANDS.keys() & set(asked[:1]) or COMMANDS:
        command = getattr(import_module(COMMANDS[name]), name.replace("-", "_"))
        if isinstance(command, typer.Typer):
            commands.add_typer(command, name=name)
        else:
            commands.command(name)(command)
    return commands


def _always_by_name() -> None:
    """Keep the command's name needed, though there may be but one."""
