"""The command line: the commands of all installed packages, each loaded only when it is run.

A package adds commands by an entry point of the group `premium.commands`: a table of them.
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
"""By command name: the module with the function of that name (an underscore for each hyphen), and
the line that describes it in the list of commands."""


def commands() -> Commands:
    """Read the tables of all installed packages, in the order of the packages' names."""
    tables = sorted(entry_points(group=_GROUP), key=lambda table: table.name)
    return {name: entry for table in tables for name, entry in table.load().items()}


def app(arguments: Sequence[str]) -> typer.Typer:
    """Make the app: it loads the command that the arguments name, and only lists the others."""
    listed = typer.Typer(
        help="Premium Support: commands for operators of a deployment.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # help without Rich is shown in a third of the time
    )
    listed.callback()(_choose_profile)
    wanted = _command_in(arguments)
    for name, (module, line) in commands().items():
        if name != wanted:
            listed.command(name, help=line)(_not_loaded)
            continue
        command = getattr(import_module(module), name.replace("-", "_"))
        if isinstance(command, typer.Typer):
            listed.add_typer(command, name=name)
        else:
            listed.command(name)(command)
    return listed


def _command_in(arguments: Sequence[str]) -> str | None:
    """Find the first argument that is neither an option nor the value of one."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "--profile":
            next(rest, None)
        elif not argument.startswith("-"):
            return argument
    return None


def _choose_profile(
    profile: Annotated[
        Path | None,
        typer.Option(
            envvar="PREMIUM_PROFILE",
            help="TOML: where the deployment is; default: that of `premium up`",
        ),
    ] = None,
) -> None:
    from premium.profile import choose  # noqa: PLC0415 - the list of commands needs none

    choose(profile)


def _not_loaded() -> None:
    """Stand in the list for a command that is not loaded."""
