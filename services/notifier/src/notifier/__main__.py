"""Run notifier, or migrate its database."""

from notifier.app import assemble
from notifier.settings import Settings
from shared.platform.process import command_line


def main() -> None:
    """Serve, or migrate."""
    command_line("notifier", Settings, assemble)


if __name__ == "__main__":
    main()
