"""Run intake, or migrate its database."""

from intake.app import assemble
from intake.settings import Settings
from shared.platform.process import command_line


def main() -> None:
    """Run the command line of intake."""
    command_line("intake", Settings, assemble)


if __name__ == "__main__":
    main()
