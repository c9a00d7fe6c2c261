"""The commands of the local stack, as `premium.cli` reads them."""

from typing import Final

__all__ = ["SUBCOMMANDS"]

SUBCOMMANDS: Final = {
    "up": ("devstack.commands", "Start the local stack: servers and services."),
    "status": ("devstack.commands", "Show what runs, and whether it is ready."),
    "logs": ("devstack.commands", "Show the end of a log."),
    "down": ("devstack.commands", "Stop the local stack."),
}
