"""Counts the cases that calendar tests compare, and prints the number at the end."""

from collections import Counter

import pytest

_CASES = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Start counting."""
    config.stash[_CASES] = Counter()


@pytest.fixture
def cases(pytestconfig: pytest.Config) -> Counter[str]:
    """Return the counter; tests add the number of compared cases, by kind."""
    return pytestconfig.stash[_CASES]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the numbers below the result."""
    counted = config.stash[_CASES]
    if counted:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counted.items()))
        terminalreporter.write_line(f"calendars: {counted.total():,} cases ({kinds})")
