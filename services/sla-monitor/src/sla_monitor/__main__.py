"""Run sla-monitor, or migrate its database."""

from shared.platform.process import command_line
from sla_monitor.app import assemble
from sla_monitor.settings import Settings


def main() -> None:
    """Serve, or migrate."""
    command_line("sla_monitor", Settings, assemble)


if __name__ == "__main__":
    main()
