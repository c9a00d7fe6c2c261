"""The command line of a service: bad settings and unavailable servers give one line."""

import subprocess
import sys

import pytest

PACKAGES = ["intake", "router", "sla_monitor", "notifier"]


def run(package: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a service with only these settings in its environment."""
    prefix = package.upper()
    return subprocess.run(
        [sys.executable, "-m", package, *arguments],
        env={f"{prefix}_{name}": value for name, value in settings.items()},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_bad_settings_are_one_line_and_exit_2(package: str) -> None:
    """It names all missing and wrong settings, and no values."""
    done = run(package, DSN="postgresql://nobody:secret@localhost/x", KAFKA_BOOTSTRAP="nowhere")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert f"{package.upper()}_KAFKA_BOOTSTRAP" in done.stderr
    assert f"{package.upper()}_HTTP_PORT" in done.stderr
    assert "secret" not in done.stderr


def test_an_unknown_command_is_answered_with_the_usage() -> None:
    """The message shows the valid commands."""
    done = run("intake", "dance")
    assert (done.returncode, done.stderr) == (2, "usage: python -m intake [migrate]\n")


def test_migrating_without_a_server_is_one_line_and_exit_1() -> None:
    """It names the server, without a traceback."""
    settings = {"DSN": "postgresql://nobody@127.0.0.1:1/x", "KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    done = run("router", "migrate", HTTP_PORT="0", **settings)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "PostgreSQL" in done.stderr
