"""Each example in the docs is tried: commands run, and files are read by what reads them for users.

The commands of README, docs/sending.md and docs/inbox.md run in tests/e2e/test_sending.py.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
import yaml
from typer.testing import CliRunner

from lab.replay.mapping import load
from premium.policy.command import policy
from router.domain.matching import MatchingRules, default_rules
from shared.sla.calendars import CalendarSpec
from shared.webhooks.reading import connections_of

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted({ROOT / "README.md", *(ROOT / "docs").glob("*.md")})
BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN: Final = {"README.md", "docs/sending.md", "docs/inbox.md"}
CONNECTION: Final = "connections:\n- {name: desk, kind: signed, secrets: [desk]}\n"


def check_calendar(text: str, _: Path) -> None:
    """Read it as the calendar of a policy."""
    CalendarSpec.model_validate(yaml.safe_load(text))


def check_matching(text: str, _: Path) -> None:
    """Compare it with the rules that come with router, which the page shows."""
    assert MatchingRules.model_validate(yaml.safe_load(text)) == default_rules()


def check_policy(text: str, folder: Path) -> None:
    """Run `premium policy check`."""
    (folder / "policy.yaml").write_text(text)
    ran = CliRunner().invoke(policy, ["check", str(folder / "policy.yaml")])
    assert ran.exit_code == 0, ran.stderr


def check_replay(text: str, folder: Path) -> None:
    """Load it as the mapping of a log."""
    (folder / "mapping.yaml").write_text(text)
    load(folder / "mapping.yaml")


def check_webhooks(text: str, _: Path) -> None:
    """Read it as the mapping of a connection."""
    (connection,) = yaml.safe_load(CONNECTION)["connections"]
    document = {"connections": [connection | yaml.safe_load(text)]}
    assert connections_of(yaml.safe_dump(document), "webhooks.yaml")


CHECKS: Final[dict[str, Callable[[str, Path], None]]] = {
    "docs/calendars.md": check_calendar,
    "docs/matching.md": check_matching,
    "docs/policies.md": check_policy,
    "docs/replay.md": check_replay,
    "docs/webhooks.md": check_webhooks,
}


def examples() -> list[tuple[str, str, str]]:
    """Return page, language and text of each example."""
    return [
        (page.relative_to(ROOT).as_posix(), language, text)
        for page in PAGES
        for language, text in BLOCK.findall(page.read_text())
    ]


@pytest.mark.parametrize(("page", "language", "text"), examples())
def test_an_example_is_tried(page: str, language: str, text: str, tmp_path: Path) -> None:
    """It can be copied and works."""
    if language == "sh":
        assert page in RUN
    else:
        CHECKS[page](text, tmp_path)
