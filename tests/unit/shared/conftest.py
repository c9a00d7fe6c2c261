"""Counts the cases that tests of calendars try, and says so in the end."""

from collections import Counter

import pytest

_CASES = pytest.StashKey[Counter[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin at zero."""
    config.stash[_CASES] = Counter()


@pytest.fixture
def cases(pytestconfig: pytest.Config) -> Counter[str]:
    """Lend the counter; a test adds what it has compared, by kind."""
    return pytestconfig.stash[_CASES]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print how many, beside the verdict."""
    counted = config.stash[_CASES]
    if counted:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counted.items()))
        terminalreporter.write_line(f"calendars: {counted.total():,} cases ({kinds})")
