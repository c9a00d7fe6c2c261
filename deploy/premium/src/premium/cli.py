"""What can be asked for: the commands of every installed package, loaded when they are asked for.

A package joins by an entry point of the group `premium.commands`: a table of its commands.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Final

import typer

__all__ = ["app", "commands"]

_GROUP: Final = "premium.commands"

type Commands = Mapping[str, tuple[str, str]]
"""By name: the module with the function of that name (an underscore for a hyphen), and its line
in the list of commands."""


def commands() -> Commands:
    """Read the tables of all installed packages, in the order of the packages' names."""
    tables = sorted(entry_points(group=_GROUP), key=lambda table: table.name)
    return {name: entry for table in tables for name, entry in table.load().items()}


def app(asked: Sequence[str]) -> typer.Typer:
    """Load the command that is asked for; the list of commands needs none of them."""
    listed = typer.Typer(
        help="Premium Support: what an operator does with a deployment.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help is there in a third of the time
    )
    listed.callback()(_choose_profile)
    wanted = _command_in(asked)
    for name, (module, line) in commands().items():
        if name != wanted:
            listed.command(name, help=line)(_not_asked_for)
            continue
        command = getattr(import_module(module), name.replace("-", "_"))
        if isinstance(command, typer.Typer):
            listed.add_typer(command, name=name)
        else:
            listed.command(name)(command)
    return listed


def _command_in(asked: Sequence[str]) -> str | None:
    """Find the first argument that is neither an option nor the value of one."""
    words = iter(asked)
    for word in words:
        if word == "--profile":
            next(words, None)
        elif not word.startswith("-"):
            return word
    return None


def _choose_profile(
    profile: Annotated[
        Path | None,
        typer.Option(
            envvar="PREMIUM_PROFILE",
            help="TOML: where the deployment is; that of `premium up` if none",
        ),
    ] = None,
) -> None:
    from premium.profile import choose  # noqa: PLC0415 - the list of commands needs none

    choose(profile)


def _not_asked_for() -> None:
    """Stand in the list for a command that is not loaded."""
