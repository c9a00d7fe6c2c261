"""Processes that outlive the command that starts them: recorded, found again, stopped."""

import asyncio
import hashlib
import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import psutil
from pydantic import BaseModel, ValidationError

from devstack.state import write_atomically, write_errors
from premium.errors import CommandError

__all__ = ["Command", "Running", "User", "complete", "find", "last_line", "spawn"]

type User = tuple[int, int]
"""User id and group id."""

_LAUNCH: Final = Path(__file__).with_name("launch.py")
_SAME_START_S: Final = 0.5
_KILL_WAIT_S: Final = 10
_LINES_MAX: Final = 50
_FAILURE: Final = re.compile(r"\b(error|fatal|panic|cannot|could not)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Command:
    """How to start a process: program, environment, and files to write before."""

    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables in addition to this process's own."""
    files: Mapping[Path, str] = field(default_factory=dict)
    folder: Path = Path("/")
    user: User | None = None

    @property
    def fingerprint(self) -> str:
        """A digest: if it differs, a process started now would differ from the running one."""
        files = {str(path): text for path, text in self.files.items()}
        parts = json.dumps([list(self.argv), dict(self.env), files], sort_keys=True)
        return hashlib.sha256(parts.encode()).hexdigest()


class _Record(BaseModel):
    pid: int
    started_s: float
    """Seconds after boot, which do not change if the system clock is set."""
    argv: list[str]
    fingerprint: str


class Running:
    """A live process that this stack started."""

    def __init__(self, process: psutil.Process, record: Path, fingerprint: str) -> None:
        self._process = process
        self._record = record
        self.fingerprint = fingerprint

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def listens_on(self, ports: Iterable[int]) -> bool:
        """Return whether the process itself listens on all of these ports."""
        try:
            connections = self._process.net_connections("tcp")
        except psutil.Error:
            return False
        listening = {c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN}
        return listening.issuperset(ports)

    async def ended(self, wait_s: float) -> bool:
        """Wait up to ``wait_s`` for the process to end; return whether it ended."""
        return await asyncio.to_thread(_ends, self._process, wait_s)

    async def stop(self, by: signal.Signals, wait_s: float) -> bool:
        """Send a signal, then kill it if it still runs; return whether the signal ended it."""
        with suppress(psutil.NoSuchProcess):
            self._process.send_signal(by)
        by_signal = await self.ended(wait_s)
        self.kill()
        return by_signal

    def kill(self) -> None:
        """Kill the process and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        _ends(self._process, _KILL_WAIT_S)
        self._record.unlink(missing_ok=True)


def spawn(run: Path, name: str, command: Command) -> Running:
    """Start a process in its own session; its record is written before its program runs."""
    with write_errors(run.parent):
        for path, text in command.files.items():
            write_atomically(path, text)
    launcher = subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-I", "-S", str(_LAUNCH)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with launcher:
        order, answer = _ends_of(launcher)
        pid = answer.readline()
        if not pid:
            raise CommandError(f"cannot start {name}: no process could be made for it")
        with write_errors(run.parent):
            running = _record(run / f"{name}.json", int(pid), command)
        order.write(_instructions(command))
        order.close()
        if refusal := answer.read().decode():
            running.kill()
            raise CommandError(f"cannot start {name}: {refusal}")
    return running


def find(run: Path, name: str) -> Running | None:
    """Find the live process recorded under this name."""
    path = run / f"{name}.json"
    try:
        record = _Record.model_validate_json(path.read_bytes())
        process = psutil.Process(record.pid)
        is_ours = (
            abs(_started_s(process) - record.started_s) < _SAME_START_S
            and process.cmdline() == record.argv
            and not _is_over(process)
        )
    except (FileNotFoundError, ValidationError, psutil.Error):
        return None
    return Running(process, path, record.fingerprint) if is_ours else None


async def complete(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    user: User | None = None,
    hold: int | None = None,
) -> str:
    """Run a command to its end, and return its output.

    ``hold`` is the descriptor of a lock, held until the command ends, even if this process is
    killed meanwhile.

    Raises:
        CommandError: the command failed; the text is the line that says why.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        env={**os.environ, **(env or {})},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        pass_fds=[] if hold is None else [hold],
        user=None if user is None else user[0],
        group=None if user is None else user[1],
        extra_groups=None if user is None else [],
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode(errors="replace")
    if process.returncode != 0:
        raise CommandError(_last(text))
    return text


def last_line(log: Path) -> str:
    """Return the line of a log that says why the process failed."""
    try:
        return _last(log.read_text(errors="replace"))
    except OSError:
        return "it wrote no output"


def _last(text: str) -> str:
    """Return the last line about a failure, else the last line: clean-up output often follows."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    failures = [line for line in lines[-_LINES_MAX:] if _FAILURE.search(line)]
    return (failures or lines or ["it wrote no output"])[-1]


def _record(path: Path, pid: int, command: Command) -> Running:
    process = psutil.Process(pid)
    record = _Record(
        pid=pid,
        started_s=_started_s(process),
        argv=list(command.argv),
        fingerprint=command.fingerprint,
    )
    write_atomically(path, record.model_dump_json())
    return Running(process, path, record.fingerprint)


def _ends_of(launcher: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if launcher.stdin is None or launcher.stdout is None:
        raise AssertionError("Popen opened no pipes")
    return launcher.stdin, launcher.stdout


def _instructions(command: Command) -> bytes:
    order = {
        "argv": list(command.argv),
        "env": {**os.environ, **command.env},
        "log": str(command.log),
        "folder": str(command.folder),
        "user": command.user,
    }
    return json.dumps(order).encode()


def _started_s(process: psutil.Process) -> float:
    return process.create_time() - psutil.boot_time()


def _is_over(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _ends(process: psutil.Process, wait_s: float) -> bool:
    """Wait for a process to end; one that init has not reaped yet has ended."""
    try:
        if sys.platform != "linux":
            process.wait(wait_s)
            return True
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return True
    except psutil.TimeoutExpired:
        return False
    with os.fdopen(descriptor) as end:
        return bool(select.select([end], [], [], wait_s)[0])
