"""Run router, or migrate its database."""

from router.app import assemble
from router.settings import Settings
from shared.platform.process import command_line


def main() -> None:
    """Serve, or migrate the database."""
    command_line("router", Settings, assemble)


if __name__ == "__main__":
    main()
