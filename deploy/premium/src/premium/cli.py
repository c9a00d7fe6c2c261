"""What the operator can ask for: every command, and the function that does it."""

from collections.abc import Sequence
from importlib import import_module
from typing import Final

import typer

__all__ = ["COMMANDS", "app"]

COMMANDS: Final = {
    "up": ("premium.commands", "Start what does not run yet: servers and services."),
    "status": ("premium.commands", "Show what runs, and whether it is ready."),
    "logs": ("premium.commands", "Show the end of a log."),
    "down": ("premium.commands", "Stop everything."),
    "migrate": ("premium.migrate", "Bring databases up to date."),
    "demo": ("premium.demo.command", "Play a day of requests on a stack of its own."),
    "replay": ("premium.replay.command", "Replay an event log through a stack of its own."),
    "roster": ("premium.roster.command", "Say who answers, when, and how much at once."),
    "accounts": ("premium.accounts.command", "Say who has bought Premium Support."),
    "policy": ("premium.policy.command", "Check, try and apply what is promised."),
    "webhooks": ("premium.webhooks.command", "Take what HubSpot or another help desk sends."),
    "keys": ("premium.keys", "Make, replace and end API keys."),
    "inbox": ("premium.inbox", "Make sign-in links for specialists and leads."),
    "explain": ("premium.explain.command", "Explain a ticket: promises, due times, assignments."),
    "watch": ("premium.watch.command", "Show breaches as they come."),
    "produce": ("premium.records", "Write a record to a topic."),
    "consume": ("premium.records", "Read the records of a key."),
    "redrive": ("premium.redrive", "Try dead letters again."),
    "bench": ("premium.bench.command", "Measure throughput and latency."),
    "bench-due": ("premium.bench.due.command", "Measure how late due clocks are published."),
    "bench-intake": ("premium.bench.intake.command", "Measure how many requests get in."),
    "bench-infeasible": (
        "premium.bench.infeasible.command",
        "Measure how soon an infeasible promise is published.",
    ),
    "bench-match": ("premium.bench.match.command", "Measure how fast tickets are matched."),
}
"""By name: the module with the function of that name (an underscore for a hyphen), and its line
in the list of commands."""


def app(asked: Sequence[str]) -> typer.Typer:
    """Load the command that is asked for; the list of commands needs none of them."""
    commands = typer.Typer(
        help="Premium Support: the local stack, and what an operator does with it.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help is there in a third of the time
    )
    commands.callback()(_always_by_name)
    wanted = next((argument for argument in asked if not argument.startswith("-")), None)
    for name, (module, line) in COMMANDS.items():
        if name != wanted:
            commands.command(name, help=line)(_not_asked_for)
            continue
        command = getattr(import_module(module), name.replace("-", "_"))
        if isinstance(command, typer.Typer):
            commands.add_typer(command, name=name)
        else:
            commands.command(name)(command)
    return commands


def _always_by_name() -> None:
    """Keep the command's name needed, though there may be but one."""


def _not_asked_for() -> None:
    """Stand in the list for a command that is not loaded."""
