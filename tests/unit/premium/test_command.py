"""The operator's command starts fast, and reports an error in one line."""

import resource
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from devstack.databases import ROLES
from devstack.keys import key_file
from devstack.ports import free_port
from devstack.postgres import ADMIN
from devstack.profile import profile_of
from devstack.state import Home, SavedState
from premium.cli import app, commands
from premium.failure import line_for
from premium.profile import CHECK
from shared.platform.api_keys import SCOPES

CPU_S_MAX: Final = 0.5
EXAMPLES: Final = Path(__file__).parents[3] / "docs" / "examples"
TICKET: Final = "4aab2f06-6b5f-5d7b-9a2c-0f3f3d9f3c44"
PORTS: Final = (
    *("intake", "router", "sla-monitor", "notifier", "kafka", "kafka-controller"),
    *("postgres", "mail", "mail-smtp"),
)


@pytest.fixture
def down(tmp_path: Path) -> Home:
    """Return the folder of a stack that ran once and is stopped."""
    home = Home(tmp_path / "home")
    home.make()
    saved = SavedState(
        ports={name: free_port() for name in PORTS},
        keys={key_file(service, admin=a): "key" for service in SCOPES for a in (False, True)},
    )
    saved.generate_passwords((*ROLES, ADMIN))
    home.save(saved)
    home.write_profile(profile_of(saved))
    for file in saved.keys:
        home.write_key(file, "key")
    return home


def test_help_is_fast() -> None:
    """The list of commands loads none of them."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    listed = subprocess.run(
        [sys.executable, "-m", "premium", "--help"], capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - spent.ru_utime - spent.ru_stime
    assert [name for name in commands() if f"  {name} " not in listed.stdout] == []
    assert "..." not in listed.stdout.partition("Commands:")[2]
    assert cpu_s <= CPU_S_MAX


@pytest.mark.parametrize(
    "arguments",
    [
        ["accounts", "import", str(EXAMPLES / "accounts.yaml")],
        ["roster", "import", str(EXAMPLES / "roster.csv")],
        ["policy", "lint"],
        ["webhooks", "list"],
        ["keys", "list"],
        ["inbox", "link", "mara"],
        ["explain", TICKET],
        ["watch", "breaches"],
        ["consume", "receipts.v1", "app-form/1"],
        ["produce", "inbound.v1", "app-form/1"],
        ["redrive", "intake"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_stopped_stack_is_reported(down: Home, arguments: list[str]) -> None:
    """Whichever server a command could not reach, the line says that the stack does not run."""
    home = {"PREMIUM_HOME": str(down.folder)}
    ended = CliRunner().invoke(app(arguments), arguments, env=home, input="{}")
    assert isinstance(ended.exception, Exception)
    line = line_for(ended.exception)
    assert line == f"the stack in {down.folder} does not run: run `premium up`"


def test_the_local_stack_does_not_explain_another_deployment(down: Home) -> None:
    """The state of the local stack is no reason if the profile is of another deployment."""
    other = down.profile.rename(down.folder / "production.toml")
    arguments = ["--profile", str(other), "webhooks", "list"]
    ended = CliRunner().invoke(app(arguments), arguments)
    assert isinstance(ended.exception, Exception)
    assert str(line_for(ended.exception)).endswith(CHECK)
