"""Processes that outlive the command which starts them: born recorded, found again, stopped."""

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

from devstack.state import speaking_of, write_atomically
from premium.errors import CommandError

__all__ = ["Command", "Running", "User", "complete", "find", "last_line", "spawn"]

type User = tuple[int, int]
"""A user's and a group's number."""

_LAUNCH: Final = Path(__file__).with_name("launch.py")
_SAME_START_S: Final = 0.5
_KILL_WAIT_S: Final = 10
_LINES_MAX: Final = 50
_FAILURE: Final = re.compile(r"\b(error|fatal|panic|cannot|could not)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Command:
    """What becomes a process, and what it needs to find when it starts."""

    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to our own environment."""
    files: Mapping[Path, str] = field(default_factory=dict)
    folder: Path = Path("/")
    user: User | None = None

    @property
    def fingerprint(self) -> str:
        """Changes when the process would be another one if it were started now."""
        files = {str(path): text for path, text in self.files.items()}
        told = json.dumps([list(self.argv), dict(self.env), files], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()


class _Record(BaseModel):
    pid: int
    started_s: float
    """After boot: the clock on the wall may be set, this stays."""
    argv: list[str]
    fingerprint: str


class Running:
    """A process that was found alive, surely the one we started."""

    def __init__(self, process: psutil.Process, record: Path, fingerprint: str) -> None:
        self._process = process
        self._record = record
        self.fingerprint = fingerprint

    @property
    def pid(self) -> int:
        """The operating system's number for it."""
        return self._process.pid

    def listens_on(self, ports: Iterable[int]) -> bool:
        """Tell whether these are its ports: what answers there might be somebody else."""
        try:
            connections = self._process.net_connections("tcp")
        except psutil.Error:
            return False
        listening = {c.laddr.port for c in connections if c.status == psutil.CONN_LISTEN}
        return listening.issuperset(ports)

    async def gone(self, wait_s: float) -> bool:
        """Wait for its end, but not longer than this; tell whether it came."""
        return await asyncio.to_thread(_ends, self._process, wait_s)

    async def stop(self, by: signal.Signals, wait_s: float) -> bool:
        """Ask it to end, and kill it if it does not. Tells whether asking was enough."""
        with suppress(psutil.NoSuchProcess):
            self._process.send_signal(by)
        asked_enough = await self.gone(wait_s)
        self.kill()
        return asked_enough

    def kill(self) -> None:
        """End it and whatever it started, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        _ends(self._process, _KILL_WAIT_S)
        self._record.unlink(missing_ok=True)


def spawn(run: Path, name: str, command: Command) -> Running:
    """Start a process in a session of its own, recorded before it runs anything of its own."""
    with speaking_of(run.parent):
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
        with speaking_of(run.parent):
            running = _record(run / f"{name}.json", int(pid), command)
        order.write(_order(command))
        order.close()
        if refusal := answer.read().decode():
            running.kill()
            raise CommandError(f"cannot start {name}: {refusal}")
    return running


def find(run: Path, name: str) -> Running | None:
    """Look for the process recorded under this name."""
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
    """Run a command to its end; its output comes back. Raises CommandError with its last line.

    ``hold`` is the lock that it keeps while it runs, should we be killed before it ends.
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
    """Read what a process said last."""
    try:
        return _last(log.read_text(errors="replace"))
    except OSError:
        return "it said nothing"


def _last(text: str) -> str:
    """Choose the last line that tells of a failure; what follows it is often mere tidying up."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines[-_LINES_MAX:] if _FAILURE.search(line)]
    return (telling or lines or ["it said nothing"])[-1]


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
        raise AssertionError("both were asked for")
    return launcher.stdin, launcher.stdout


def _order(command: Command) -> bytes:
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
    """Wait for its end. One that init has yet to bury has ended: that may take init seconds."""
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
