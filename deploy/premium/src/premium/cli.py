"""What the operator can ask for: each command is a function, listed here."""

from typing import Final

import typer

from premium.bench.command import bench
from premium.commands import down, logs, status, up
from premium.demo.command import demo
from premium.redrive import redrive
from premium.replay.command import replay
from premium.roster import roster

__all__ = ["app"]

COMMANDS: Final = (up, status, logs, down, demo, replay, roster, redrive, bench)

app = typer.Typer(
    help="Premium Support: the local stack, and what an operator does with it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in COMMANDS:
    app.command()(command)
