"""Processes that outlive their starter are recorded before they run, and never confused."""

import json
import signal
import sys
from pathlib import Path
from typing import Final

import pytest

from devstack.processes import Command, complete, find, spawn
from premium.errors import CommandError

WAIT_S_MAX: Final = 30


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Return a command that runs until it is stopped."""
    forever = "import threading; threading.Event().wait()"
    return Command(argv=[sys.executable, "-c", forever], log=tmp_path / "log")


async def test_a_started_process_is_found(tmp_path: Path, command: Command) -> None:
    """It is found by its name, until it is stopped."""
    started = spawn(tmp_path, "one", command)
    found = find(tmp_path, "one")
    assert found is not None
    assert (found.pid, found.fingerprint) == (started.pid, command.fingerprint)
    assert await found.stop(signal.SIGTERM, WAIT_S_MAX)
    assert find(tmp_path, "one") is None


@pytest.mark.parametrize(
    "other", [{"started_s": 1.0}, {"argv": ["another"]}, {"pid": 2**22 + 1}], ids=str
)
async def test_another_process_is_never_confused_with_ours(
    tmp_path: Path, command: Command, other: dict[str, object]
) -> None:
    """A process that got the same id later is not stopped."""
    started = spawn(tmp_path, "one", command)
    record = tmp_path / "one.json"
    right = record.read_text()
    record.write_text(json.dumps(json.loads(right) | other))
    assert find(tmp_path, "one") is None
    started.kill()


def test_a_partial_record_is_ignored(tmp_path: Path) -> None:
    """A partial record, or none, means that nothing runs."""
    (tmp_path / "one.json").write_text('{"pid": 1')
    assert find(tmp_path, "one") is None
    assert find(tmp_path, "two") is None


def test_a_program_that_cannot_start_is_one_line(tmp_path: Path) -> None:
    """A start that the operating system refuses leaves no record."""
    with pytest.raises(CommandError, match="cannot start one: No such file or directory: /no/such"):
        spawn(tmp_path, "one", Command(argv=["/no/such"], log=tmp_path / "log"))
    assert not (tmp_path / "one.json").exists()


def test_a_changed_command_has_another_fingerprint(tmp_path: Path, command: Command) -> None:
    """It depends on arguments, environment and files, not on the log."""
    log = tmp_path / "log"
    same = Command(argv=command.argv, log=log)
    with_port = Command(argv=command.argv, log=log, env={"PORT": "1"})
    configured = Command(argv=command.argv, log=log, files={tmp_path / "settings": "port=1"})
    assert same.fingerprint == command.fingerprint
    assert len({command.fingerprint, with_port.fingerprint, configured.fingerprint}) == 3


async def test_a_failed_command_reports_the_reason() -> None:
    """The error is the line about the failure, not later output."""
    program = "print('FATAL: disk full'); print('removing the folder'); raise SystemExit(1)"
    with pytest.raises(CommandError, match=r"^FATAL: disk full$"):
        await complete([sys.executable, "-c", program])
