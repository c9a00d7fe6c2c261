"""Run notifier, or migrate its database."""

from notifier.app import assemble
from notifier.settings import Settings
from shared.platform.process import command_line


def main() -> None:
    """Run the command line of the notifier."""
    command_line("notifier", Settings, assemble)


if __name__ == "__main__":
    main()
