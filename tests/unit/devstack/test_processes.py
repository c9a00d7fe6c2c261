"""Processes that outlive their starter: recorded before they run, never taken for another's."""

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
    """Something that runs until it is ended."""
    forever = "import threading; threading.Event().wait()"
    return Command(argv=[sys.executable, "-c", forever], log=tmp_path / "log")


async def test_what_was_started_is_found(tmp_path: Path, command: Command) -> None:
    """A process is found by its name, until it is stopped."""
    started = spawn(tmp_path, "one", command)
    found = find(tmp_path, "one")
    assert found is not None
    assert (found.pid, found.fingerprint) == (started.pid, command.fingerprint)
    assert await found.stop(signal.SIGTERM, WAIT_S_MAX)
    assert find(tmp_path, "one") is None


@pytest.mark.parametrize(
    "other", [{"started_s": 1.0}, {"argv": ["another"]}, {"pid": 2**22 + 1}], ids=str
)
async def test_another_process_is_never_taken_for_ours(
    tmp_path: Path, command: Command, other: dict[str, object]
) -> None:
    """A number that came round to another process is no reason to stop that one."""
    started = spawn(tmp_path, "one", command)
    record = tmp_path / "one.json"
    right = record.read_text()
    record.write_text(json.dumps(json.loads(right) | other))
    assert find(tmp_path, "one") is None
    started.kill()


def test_a_record_that_was_cut_off_is_no_process(tmp_path: Path) -> None:
    """Half a record, or none, means that nothing runs."""
    (tmp_path / "one.json").write_text('{"pid": 1')
    assert find(tmp_path, "one") is None
    assert find(tmp_path, "two") is None


def test_a_program_that_cannot_start_is_one_line(tmp_path: Path) -> None:
    """A start that the system refuses leaves no record."""
    with pytest.raises(CommandError, match="cannot start one: No such file or directory: /no/such"):
        spawn(tmp_path, "one", Command(argv=["/no/such"], log=tmp_path / "log"))
    assert not (tmp_path / "one.json").exists()


def test_a_changed_command_is_told_apart(tmp_path: Path, command: Command) -> None:
    """The fingerprint changes with what a process is told, not with who asks."""
    log = tmp_path / "log"
    same = Command(argv=command.argv, log=log)
    told = Command(argv=command.argv, log=log, env={"PORT": "1"})
    configured = Command(argv=command.argv, log=log, files={tmp_path / "settings": "port=1"})
    assert same.fingerprint == command.fingerprint
    assert len({command.fingerprint, told.fingerprint, configured.fingerprint}) == 3


async def test_a_failed_command_says_why() -> None:
    """Of what a command said, the failure is told, not the tidying up after it."""
    said = "print('FATAL: disk full'); print('removing the folder'); raise SystemExit(1)"
    with pytest.raises(CommandError, match=r"^FATAL: disk full$"):
        await complete([sys.executable, "-c", said])
