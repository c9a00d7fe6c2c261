"""Run intake, or migrate its database."""

from shared.process import command_line

from intake.app import assemble
from intake.settings import Settings


def main() -> None:
    """Serve, or migrate."""
    command_line("intake", Settings, assemble)


if __name__ == "__main__":
    main()
