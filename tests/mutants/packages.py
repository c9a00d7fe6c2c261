"""Which code is mutated, and which tests have to notice."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """A part of the code without effects, and the tests that state its rules."""

    name: str
    sources: tuple[str, ...]  # patterns below the root, as those of the tests
    tests: tuple[str, ...]

    def files(self, root: Path) -> list[Path]:
        """Return its source files, relative to the root."""
        return _matching(root, self.sources)

    def test_files(self, root: Path) -> list[Path]:
        """Return its test files, relative to the root."""
        return _matching(root, self.tests)


PACKAGES = (
    Package(
        "intake", ("services/intake/src/intake/domain/**/*.py",), ("tests/unit/intake/test_*.py",)
    ),
    Package(
        "router",
        ("services/router/src/router/domain/**/*.py",),
        ("tests/unit/router/test_*.py",),
    ),
    Package(
        "sla_monitor",
        ("services/sla-monitor/src/sla_monitor/domain/**/*.py",),
        ("tests/unit/sla_monitor/test_*.py", "tests/simulation/test_*.py"),
    ),
    Package(
        "notifier",
        (
            "services/notifier/src/notifier/domain.py",
            "services/notifier/src/notifier/times.py",
        ),
        ("tests/unit/notifier/test_*.py",),
    ),
    Package(
        "shared.sla",
        ("shared/src/shared/sla/**/*.py",),
        (
            "tests/unit/shared/test_calendar*.py",
            "tests/unit/shared/test_closed_dates.py",
            "tests/unit/shared/test_pauses.py",
            "tests/unit/shared/test_polic*.py",
            "tests/unit/shared/test_promises.py",
            "tests/unit/shared/test_zones.py",
        ),
    ),
    Package(
        "shared.tickets",
        ("shared/src/shared/tickets/*.py",),
        (
            "tests/unit/shared/test_lifecycle*.py",
            "tests/unit/shared/test_due*.py",
            "tests/unit/shared/test_ringing*.py",
            "tests/unit/sla_monitor/test_*.py",
            "tests/unit/notifier/test_*.py",
            "tests/unit/premium/test_explain*.py",
            "tests/unit/router/test_due.py",
            "tests/unit/router/test_history.py",
            "tests/unit/router/test_matching.py",
            "tests/unit/router/test_re*.py",
            "tests/unit/router/test_ring*.py",
            "tests/simulation/test_*.py",
        ),
    ),
    Package(
        "shared.rosters",
        ("shared/src/shared/rosters/*.py",),
        (
            "tests/unit/shared/test_rosters.py",
            "tests/unit/router/test_feasibility.py",
            "tests/unit/router/test_matching.py",
            "tests/unit/router/test_shifts.py",
        ),
    ),
)


def _matching(root: Path, patterns: tuple[str, ...]) -> list[Path]:
    found = {path.relative_to(root) for pattern in patterns for path in root.glob(pattern)}
    return sorted(found)
